import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import Fastify, { type FastifyInstance } from 'fastify'
import { Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import { Admission } from '../../src/api/admission.ts'
import { buildApp } from '../../src/api/app.ts'
import { Database } from '../../src/db/database.ts'
import { Doors } from '../../src/db/doors.ts'
import { Notifications } from '../../src/db/notifications.ts'
import type { Tables } from '../../src/db/tables.ts'
import { type Agent, AgentList } from '../../src/features/agents/schema.ts'
import { routes } from '../../src/features/index.ts'
import { pageOf } from '../../src/features/pages.ts'
import { createTokens } from '../../src/identity/tokens.ts'

// One of the servers that hot-path.ts compares, in a process of its own: argv is its kind and a JSON of addresses.
// All three answer GET /v1/agents with the same 20 rows of the same tenant, none of them logs requests.

interface Addresses {
  readonly appUrl: string
  readonly adminUrl: string
  readonly issuer: string
  readonly jwksUrl: string
}

interface Row {
  readonly id: string
  readonly name: string
  readonly description: string
  readonly status: string
  readonly created_at: Date
  readonly version: string | null
}

/** The API as it is: token, claim, admission, entry, row level security. */
async function enginex({ appUrl, issuer, jwksUrl }: Addresses): Promise<FastifyInstance> {
  const database = await new Database({ url: appUrl, applicationName: 'bench' }).start()
  const notifications = await new Notifications(appUrl).start()
  const doors = new Doors(database)
  const keycloak = { membership: () => Promise.reject(new Error('nobody is new here')) }
  const nothing = {} as never
  return await buildApp({
    routes: routes({
      doors,
      keycloak: nothing,
      files: nothing,
      vault: nothing,
      models: nothing,
      deploymentModel: null,
      mcp: nothing,
      webhooks: nothing,
      region: 'home',
    }),
    database,
    notifications,
    doors,
    vault: nothing,
    tokens: createTokens({ issuer, jwksUrl, audience: 'enginex-api', now: Date.now }),
    issuer,
    admission: new Admission({ doors, keycloak }),
    health: nothing,
    console: { directory: 'no-console', keycloakUrl: issuer, realm: 'enginex' },
    logger: false,
    now: Date.now,
  })
}

/** Fastify and pg as they come, each request on a connection of the pool, a prepared statement, no token, no tenancy. */
async function plain({ adminUrl }: Addresses): Promise<FastifyInstance> {
  const pool = new pg.Pool({ connectionString: adminUrl, max: 10 })
  const text = `
    select agents.id, agents.name, agents.description, agents.status, agents.created_at, active.version
      from app.agents left join app.agent_versions active
        on active.tenant_id = agents.tenant_id and active.id = agents.active_version_id
     where agents.tenant_id = $1 order by agents.created_at desc, agents.id desc limit 21`
  return serve(async (tenantId) => (await pool.query<Row>({ name: 'list', text, values: [tenantId] })).rows)
}

/** What many would write: a transaction for each request, the tenant set in it, row level security, through Kysely. */
async function naive({ appUrl }: Addresses): Promise<FastifyInstance> {
  const pool = new pg.Pool({ connectionString: appUrl, max: 10 })
  const kysely = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) }).withSchema('app')
  return serve((tenantId) =>
    kysely.transaction().execute(async (tx) => {
      await sql`select set_config('app.tenant_id', ${tenantId}, true)`.execute(tx)
      return await tx
        .selectFrom('agents')
        .leftJoin('agent_versions as active', 'active.id', 'agents.active_version_id')
        .select([
          'agents.id',
          'agents.name',
          'agents.description',
          'agents.status',
          'agents.created_at',
          'active.version',
        ])
        .orderBy('agents.created_at', 'desc')
        .orderBy('agents.id', 'desc')
        .limit(21)
        .execute()
    }),
  )
}

function serve(list: (tenantId: string) => Promise<Row[]>): FastifyInstance {
  const app = Fastify()
  app.get('/v1/agents', { schema: { response: { 200: AgentList } } }, async (request) => {
    const { tenant } = request.query as { tenant: string }
    const rows = await list(tenant)
    return pageOf(tenant, rows, 20, (row) => ({ time: row.created_at, id: row.id }), toAgent)
  })
  return app
}

function toAgent({ name, description, status, version, created_at }: Row): Agent {
  const createdAt = created_at.toISOString()
  return { name, description, status: status as Agent['status'], activeVersion: version, createdAt }
}

const kinds = { enginex, plain, naive }
const [kind, addresses] = process.argv.slice(2) as [keyof typeof kinds, string]
const app = await kinds[kind](JSON.parse(addresses))
await app.listen({ host: '127.0.0.1', port: 0 })
process.send?.((app.server.address() as AddressInfo).port)
await once(process, 'disconnect')
process.exit(0)
