import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pino } from 'pino'
import type { Test } from 'tap'
import { build } from 'vite'
import { Admission } from '../../../src/api/admission.ts'
import { buildApp } from '../../../src/api/app.ts'
import { Notifications } from '../../../src/db/notifications.ts'
import { routes } from '../../../src/features/index.ts'
import { createTokens } from '../../../src/identity/tokens.ts'
import { createFiles } from '../../../src/providers/files.ts'
import { createMcp } from '../../../src/providers/mcp.ts'
import { createModelServers } from '../../../src/providers/model-servers.ts'
import { createVault } from '../../../src/providers/vault.ts'
import { createWebhookSender } from '../../../src/providers/webhook-sender.ts'
import { createRunner } from '../../../src/worker/runner.ts'
import { startScheduler } from '../../../src/worker/scheduler.ts'
import { type TestDatabase, testDatabase } from '../../support/database.ts'
import { keycloakAdmin, keycloakUrl, realm } from '../../support/keycloak.ts'
import { noMcp } from '../../support/mcp.ts'

const root = resolve(import.meta.dirname, '../../..')
const silent = pino({ level: 'silent' })
const audience = 'enginex-api'
const clients = ['enginex-console', 'enginex-cli', 'enginex-test']

/** The built console on the address that Keycloak sends people back to, with the whole API and a worker behind it; `cut` breaks every connection. */
export async function startConsole(t: Test): Promise<{ url: string; cut: () => void }> {
  const port = Number(process.env.ENGINEX_TEST_CONSOLE_PORT)
  if (!port) throw new Error('no Keycloak was started for this test: run it by "npm test -- test/…"')
  const testing = await testDatabase(t)
  const { database, doors, appUrl } = testing
  const directory = await mkdtemp(join(tmpdir(), 'enginex-console-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  const built = join(directory, 'console')
  // A build of its own: the one in dist/ may be made anew by whoever starts EngineX meanwhile.
  await build({ root: join(root, 'src/console'), build: { outDir: built }, logLevel: 'error' })
  const notifications = await new Notifications(appUrl).start()
  t.teardown(() => notifications.stop())
  const keycloak = keycloakAdmin()
  const issuer = `${keycloakUrl()}/realms/${realm}`
  const jwksUrl = `${issuer}/protocol/openid-connect/certs`
  const vault = createVault({ directory: join(directory, 'keys') })
  const app = await buildApp({
    routes: routes({
      doors,
      keycloak,
      files: createFiles({ directory }),
      vault,
      models: createModelServers({ allow: [] }),
      deploymentModel: null,
      webhooks: createWebhookSender({ allow: [] }),
      mcp: createMcp(noMcp),
      region: 'home',
    }),
    database,
    notifications,
    doors,
    vault,
    tokens: createTokens({ issuer, jwksUrl, audience, clients, now: Date.now }),
    issuer,
    admission: new Admission({ doors, keycloak }),
    health: { database: async () => true, notifications: async () => true, identity: async () => true },
    console: { directory: built, keycloakUrl: keycloakUrl(), realm },
    logger: false,
    now: Date.now,
  })
  t.teardown(() => app.close())
  await startWorker(t, testing, directory)
  const url = await app.listen({ host: '127.0.0.1', port })
  return { url, cut: () => app.server.closeAllConnections() }
}

async function startWorker(t: Test, { doors, workerUrl }: TestDatabase, filesDirectory: string): Promise<void> {
  const model = { baseUrl: 'http://127.0.0.1:9', name: 'none', apiKey: '', allow: [] }
  const settings = {
    databaseUrl: workerUrl,
    filesDirectory,
    keysDirectory: join(filesDirectory, 'keys'),
    model,
    mcp: noMcp,
    slots: 4,
    graceMs: 2000,
    logLevel: 'silent',
  }
  const runner = createRunner(settings, 60_000)
  const scheduler = startScheduler({
    slots: 4,
    pollMs: 200,
    beatMs: 1000,
    silentMs: 10_000,
    sliceMs: 30_000,
    log: silent,
    doors,
    workerId: randomUUID(),
    start: runner.start,
  })
  const notifications = await new Notifications(workerUrl).start()
  notifications.onAny('runs', scheduler.look)
  notifications.onAny('requests', scheduler.heed)
  t.teardown(async () => {
    await scheduler.stop()
    await runner.close()
    await notifications.stop()
  })
}

/** A file of the pilot's sample: 5,000 rows, with known faults of every kind. */
export async function sampleFile(name: 'broker' | 'investor'): Promise<Buffer> {
  return await readFile(join(root, 'src/templates/hourly-tracking/sample', `${name}.csv`))
}
