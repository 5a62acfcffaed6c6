import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { Admission } from '../../src/api/admission.ts'
import { buildApp } from '../../src/api/app.ts'
import { Notifications } from '../../src/db/notifications.ts'
import { routes } from '../../src/features/index.ts'
import type { Services } from '../../src/features/services.ts'
import type { KeycloakAdmin, Membership } from '../../src/identity/keycloak-admin.ts'
import { createTokens } from '../../src/identity/tokens.ts'
import { createFiles } from '../../src/providers/files.ts'
import { createMcp } from '../../src/providers/mcp.ts'
import { createModelServers } from '../../src/providers/model-servers.ts'
import { createVault } from '../../src/providers/vault.ts'
import { createWebhookSender } from '../../src/providers/webhook-sender.ts'
import type { Role } from '../../src/tenancy/permissions.ts'
import type { Route } from '../../src/tenancy/route.ts'
import { type TestDatabase, type TestTenant, testDatabase } from './database.ts'
import { sampleMcp } from './mcp.ts'
import { startTokenIssuer, type TokenIssuer } from './tokens.ts'

/** Keycloak as the edge of these tests: what it would answer, kept in memory. */
export interface FakeKeycloak extends KeycloakAdmin {
  /** By `<organization id> <user id>`; members that seedTenant made are added by `know`. */
  readonly memberships: Map<string, Membership>
  know(tenant: TestTenant): void
  /** While true, every question fails. */
  down: boolean
}

export interface TestApp extends TestDatabase {
  readonly app: FastifyInstance
  readonly routes: readonly Route[]
  readonly services: Services
  readonly notifications: Notifications
  readonly keycloak: FakeKeycloak
  readonly issuer: TokenIssuer
  /** A token of the tenant's member in that role. */
  tokenFor(tenant: TestTenant, role: Role): Promise<string>
}

/** The whole API over a database of its own; real but for Keycloak, whose tokens are signed and whose answers are given here. */
export async function testApp(
  t: Pick<Test, 'teardown'>,
  {
    allow = [],
  }: { /** host:port of models that may be reached although it is private. */ allow?: readonly string[] } = {},
): Promise<TestApp> {
  const testing = await testDatabase(t)
  const { database, doors, appUrl } = testing
  const issuer = await startTokenIssuer(t)
  const directory = await mkdtemp(join(tmpdir(), 'enginex-files-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  const notifications = await new Notifications(appUrl).start()
  t.teardown(() => notifications.stop())
  const keycloak = fakeKeycloak()
  const vault = createVault({ directory: join(directory, 'keys') })
  const mcp = createMcp(sampleMcp)
  t.teardown(() => mcp.close())
  const models = createModelServers({ allow })
  const files = createFiles({ directory })
  const webhooks = createWebhookSender({ allow })
  const services = { doors, keycloak, files, vault, models, deploymentModel: 'small', mcp, webhooks, region: 'home' }
  const all = routes(services)
  const app = await buildApp({
    routes: all,
    database,
    notifications,
    doors,
    vault,
    tokens: createTokens({ issuer: issuer.issuer, jwksUrl: issuer.jwksUrl, audience: 'enginex-api', now: Date.now }),
    issuer: issuer.issuer,
    admission: new Admission({ doors, keycloak }),
    health: {
      database: () => database.answers(),
      notifications: async () => notifications.connected,
      identity: () => keycloak.healthy(),
    },
    console: { directory: join(directory, 'no-console'), keycloakUrl: issuer.issuer, realm: 'enginex' },
    logger: false,
    now: Date.now,
  })
  t.teardown(() => app.close())
  const tokenFor = ({ alias, organizationId, members }: TestTenant, role: Role) =>
    issuer.sign({ userId: members[role], organizations: { [alias]: { id: organizationId, roles: [role] } } })
  return { ...testing, app, routes: all, services, notifications, keycloak, issuer, tokenFor }
}

function fakeKeycloak(): FakeKeycloak {
  const memberships = new Map<string, Membership>()
  const organizations = new Map<string, { id: string; alias: string; name: string }>()
  const answering = <T>(answer: T): Promise<T> =>
    fake.down ? Promise.reject(new Error('Keycloak is down')) : Promise.resolve(answer)
  const fake: FakeKeycloak = {
    down: false,
    memberships,
    know({ alias, organizationId, members }) {
      organizations.set(organizationId, { id: organizationId, alias, name: `${alias} corporation` })
      for (const [role, userId] of Object.entries(members)) {
        memberships.set(`${organizationId} ${userId}`, { roles: [role], email: `${role}@${alias}.test`, name: null })
      }
    },
    ensureOrganization({ alias, name, adminEmail }) {
      const found = [...organizations.values()].find((one) => one.alias === alias)
      const id = found?.id ?? randomUUID()
      organizations.set(id, { id, alias, name })
      const oneTimePassword = found ? null : 'Once-only-1'
      const admin = { userId: randomUUID(), email: adminEmail, created: !found, oneTimePassword }
      return answering({ id, created: !found, admin })
    },
    membership: (organizationId, userId) => answering(memberships.get(`${organizationId} ${userId}`) ?? null),
    organizationsOf: (userId) =>
      answering([...organizations.values()].filter(({ id }) => memberships.has(`${id} ${userId}`))),
    signOut: () => answering(new Date()),
    healthy: async () => !fake.down,
  }
  return fake
}
