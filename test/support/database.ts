import { randomUUID } from 'node:crypto'
import pg from 'pg'
import type { Test } from 'tap'
import type { ConnectionOptions } from '../../src/db/connections.ts'
import { Database } from '../../src/db/database.ts'
import { Doors } from '../../src/db/doors.ts'
import type { Scope } from '../../src/db/scope.ts'
import { type Permission, type Role, roles } from '../../src/tenancy/permissions.ts'
import { assertEvents } from './events.ts'
import { apiPassword, ownerPassword, template, urlOf, workerPassword } from './services.ts'

export interface TestDatabase {
  /** Addresses of this file's own database, by role. */
  readonly adminUrl: string
  readonly ownerUrl: string
  readonly appUrl: string
  readonly workerUrl: string
  /** A superuser's connection, which row level security does not bind. */
  readonly admin: pg.Client
  /** The application's own handle; `connect` opens more of them. */
  readonly database: Database
  /** A worker's handle. */
  readonly worker: Database
  /** Of the application and of the worker. */
  readonly doors: Doors
  connect(options?: Partial<ConnectionOptions>): Promise<Database>
}

/** A database of this test file's own: a clone of the migrated template, gone with the test. */
export async function testDatabase(
  t: Pick<Test, 'teardown'>,
  options: Partial<ConnectionOptions> = {},
): Promise<TestDatabase> {
  const postgresUrl = process.env.ENGINEX_TEST_POSTGRES_URL
  if (!postgresUrl) throw new Error('no PostgreSQL was started for this test: run it by "npm test -- test/…"')
  const name = `test_${randomUUID().replaceAll('-', '')}`
  await cloneTemplate(postgresUrl, name)
  t.teardown(() => execute(postgresUrl, `drop database if exists ${name} with (force)`))

  const adminUrl = urlOf(postgresUrl, name)
  await execute(adminUrl, shortSilence)
  const appUrl = urlOf(postgresUrl, name, 'enginex_api', apiPassword)
  const workerUrl = urlOf(postgresUrl, name, 'enginex_worker', workerPassword)
  const admin = new pg.Client({ connectionString: adminUrl, options: '-c search_path=app' })
  admin.on('error', () => undefined)
  await admin.connect()
  t.teardown(() => admin.end())
  t.teardown(() => assertEvents(adminUrl))
  const connect = async (more: Partial<ConnectionOptions> = {}) => {
    const database = new Database({
      url: appUrl,
      applicationName: 'test',
      shared: 2,
      exclusive: 4,
      ...options,
      ...more,
    })
    t.teardown(() => database.stop())
    return await database.start()
  }
  const database = await connect()
  const ownerUrl = urlOf(postgresUrl, name, 'enginex_owner', ownerPassword)
  const worker = await connect({ url: workerUrl, shared: 0 })
  const doors = allDoors(new Doors(database), new Doors(worker))
  return { adminUrl, ownerUrl, appUrl, workerUrl, admin, database, worker, doors, connect }
}

/** Each door through the role that may open it. */
function allDoors(api: Doors, worker: Doors): Doors {
  const ofWorker: readonly (string | symbol)[] = workerDoors
  return new Proxy(api, {
    get(_, name) {
      const doors = ofWorker.includes(name) ? worker : api
      const door: unknown = Reflect.get(doors, name)
      return typeof door === 'function' ? door.bind(doors) : door
    },
  })
}

export const workerDoors = [
  'announceSessions',
  'beatRuns',
  'dueApprovals',
  'dueTriggers',
  'takeDeliveries',
  'takeRuns',
] as const satisfies readonly (keyof Doors)[]

/** No test waits for ten seconds until a worker counts as silent. */
const shortSilence = `create or replace function app.least_silence() returns interval language sql immutable
                        as $$ select interval '100 milliseconds' $$`

async function cloneTemplate(postgresUrl: string, name: string): Promise<void> {
  await execute(
    postgresUrl,
    `create database ${name} template ${template} owner enginex_owner`,
    // A clone does not take over what the roles may do with the database itself.
    `revoke all on database ${name} from public; grant connect on database ${name} to enginex_api, enginex_worker`,
  )
}

async function execute(url: string, ...texts: string[]): Promise<void> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    for (const text of texts) await client.query(text)
  } finally {
    await client.end()
  }
}

export interface TestTenant {
  readonly tenantId: string
  readonly organizationId: string
  readonly alias: string
  /** The user id of a member in each role. */
  readonly members: Readonly<Record<Role, string>>
}

/** A tenant with one member in every role, made through the doors as the product makes it. */
export async function seedTenant(doors: Doors, alias: string): Promise<TestTenant> {
  const organizationId = randomUUID()
  const organization = { id: organizationId, alias, name: `${alias} corporation`, region: 'home' }
  const tenantId = await doors.provisionTenant(organization, 'platform:test')
  const members = Object.fromEntries(roles.map((role) => [role, randomUUID()])) as Record<Role, string>
  for (const role of roles) await addMember(doors, tenantId, members[role], [role], `${role}@${alias}.test`)
  return { tenantId, organizationId, alias, members }
}

/** Adds a member, or changes the roles of one. Without roles the membership ends. */
export async function addMember(
  doors: Doors,
  tenantId: string,
  userId: string,
  held: readonly Role[],
  email: string | null = null,
): Promise<void> {
  const status = held.length > 0 ? 'active' : 'removed'
  await doors.mirrorMembership({
    tenantId,
    userId,
    kind: 'user',
    status,
    roles: held,
    email,
    name: null,
    notBefore: null,
  })
}

/** In the name of the tenant's member in that role, with a token issued now. */
export function memberScope(
  tenant: TestTenant,
  role: Role,
  permission: Permission,
  issuedAt = new Date(),
): Extract<Scope, { kind: 'member' }> {
  const { tenantId, members } = tenant
  return { kind: 'member', tenantId, userId: members[role], issuedAt: issuedAt.toISOString(), permission }
}
