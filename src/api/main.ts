import { pino } from 'pino'
import { apiConfig, egressAllowed, inheritedEnvironment } from '../config.ts'
import { Database } from '../db/database.ts'
import { Doors } from '../db/doors.ts'
import { Notifications } from '../db/notifications.ts'
import { routes } from '../features/index.ts'
import { createKeycloakAdmin } from '../identity/keycloak-admin.ts'
import { createTokens } from '../identity/tokens.ts'
import { createFiles } from '../providers/files.ts'
import { createMcp } from '../providers/mcp.ts'
import { readMcpCommands } from '../providers/mcp-commands.ts'
import { createModelServers } from '../providers/model-servers.ts'
import { createVault } from '../providers/vault.ts'
import { createWebhookSender } from '../providers/webhook-sender.ts'
import { Admission } from './admission.ts'
import { buildApp } from './app.ts'

const config = apiConfig()
const logger = pino({ level: config.ENGINEX_LOG_LEVEL, redact: ['req.headers.authorization'] })
const now = () => Date.now()
const database = await new Database({ url: config.ENGINEX_DATABASE_URL, applicationName: 'enginex-api' }).start()
const notifications = await new Notifications(config.ENGINEX_DATABASE_URL).start()
const doors = new Doors(database)
const issuer = config.ENGINEX_ISSUER ?? `${config.ENGINEX_KEYCLOAK_URL}/realms/${config.ENGINEX_KEYCLOAK_REALM}`
const jwksUrl = config.ENGINEX_JWKS_URL ?? `${issuer}/protocol/openid-connect/certs`
const tokens = createTokens({
  issuer,
  jwksUrl,
  audience: 'enginex-api',
  clients: config.ENGINEX_CLIENTS.split(','),
  now,
})
const keycloak = createKeycloakAdmin({
  url: config.ENGINEX_KEYCLOAK_URL,
  realm: config.ENGINEX_KEYCLOAK_REALM,
  clientId: 'enginex-admin',
  clientSecret: config.ENGINEX_KEYCLOAK_ADMIN_SECRET,
})
const files = createFiles({ directory: config.ENGINEX_FILES_DIRECTORY })
const vault = createVault({
  directory: config.ENGINEX_KEYS_DIRECTORY,
  onFault: (err) => logger.error({ err }, 'the key store cannot be used'),
})
const mcp = createMcp({
  allow: egressAllowed(config),
  commands: readMcpCommands(config.ENGINEX_MCP_STDIO),
  path: inheritedEnvironment().PATH ?? '',
})

const app = await buildApp({
  routes: routes({
    doors,
    keycloak,
    files,
    vault,
    models: createModelServers({ allow: egressAllowed(config) }),
    deploymentModel: config.ENGINEX_MODEL_NAME ?? null,
    mcp,
    webhooks: createWebhookSender({ allow: egressAllowed(config) }),
    region: config.ENGINEX_REGION,
  }),
  database,
  notifications,
  doors,
  vault,
  tokens,
  issuer,
  admission: new Admission({ doors, keycloak }),
  health: {
    database: () => database.answers(),
    notifications: async () => notifications.connected,
    identity: async () => tokens.healthy() && (await keycloak.healthy()),
  },
  console: {
    directory: config.ENGINEX_CONSOLE_DIRECTORY,
    keycloakUrl: config.ENGINEX_KEYCLOAK_URL,
    realm: config.ENGINEX_KEYCLOAK_REALM,
  },
  logger,
  now,
})
const address = await app.listen({ host: config.ENGINEX_HOST, port: config.ENGINEX_PORT })
logger.info(`listening on ${address}`)

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, async () => {
    logger.info(`${signal}: finishing what is under way`)
    await app.close()
    await mcp.close()
    await notifications.stop()
    await database.stop()
    process.exit(0)
  })
}
