import { randomUUID } from 'node:crypto'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { grants } from '../../src/tenancy/permissions.ts'
import type { Route } from '../../src/tenancy/route.ts'
import { testApp } from '../support/app.ts'
import { addMember, seedTenant, type TestTenant } from '../support/database.ts'
import { nameOf, requestOf } from './samples.ts'
import { seedWork } from './work.ts'

// Tokens that were good a moment ago, on every route: they are known to this process, and what they could do is over.
const { app, routes, admin, doors, services, keycloak, issuer, tokenFor } = await testApp(t)
const acme = await seedTenant(doors, 'acme')
const suspended = await seedTenant(doors, 'suspended')
for (const tenant of [acme, suspended]) keycloak.know(tenant)
const works = new Map<TestTenant, Awaited<ReturnType<typeof seedWork>>>()
for (const tenant of [acme, suspended]) works.set(tenant, await seedWork(admin, services.files, tenant))

/** What every member of the product may read although nothing is read from the database for it. */
const withoutRows = ['GET /templates']

async function send(route: Route, tenant: TestTenant, token: string): Promise<string> {
  const request = await requestOf(route, works.get(tenant)!, tenant.organizationId)
  const headers = { ...request.headers, authorization: `Bearer ${token}` }
  const answer = await app.inject({ ...request, headers, payloadAsStream: true })
  if (answer.statusCode >= 400) return `${answer.statusCode} ${JSON.parse(await text(answer.stream())).code}`
  answer.stream().destroy()
  return String(answer.statusCode)
}

/** A member of acme with a token that this process has already let in. */
async function knownMember(issuedAt = new Date()): Promise<{ userId: string; token: string }> {
  const userId = randomUUID()
  await addMember(doors, acme.tenantId, userId, ['tenant-admin'])
  const organizations = { acme: { id: acme.organizationId, roles: ['tenant-admin'] } } as const
  const token = await issuer.sign({ userId, organizations, issuedAt })
  const answer = await app.inject({ url: '/v1/agents', headers: { authorization: `Bearer ${token}` } })
  if (answer.statusCode !== 200) throw new Error(`the member was not let in: ${answer.body}`)
  return { userId, token }
}

const [removed, lowered] = [await knownMember(), await knownMember()]
const signedOut = await knownMember(new Date(Date.now() - 10_000))
const ofSuspended = await tokenFor(suspended, 'tenant-admin')
await app.inject({ url: '/v1/agents', headers: { authorization: `Bearer ${ofSuspended}` } })
await addMember(doors, acme.tenantId, removed.userId, [])
await addMember(doors, acme.tenantId, lowered.userId, ['auditor'])
await doors.signOutUser(signedOut.userId, new Date(Date.now() - 5000))
await doors.setTenantStatus(suspended.organizationId, 'suspended', 'platform:test')
const countRows = async () =>
  (await admin.query('select (select count(*) from app.sessions) + (select count(*) from app.agent_versions) as n'))
    .rows[0].n
const before = await countRows()

for (const route of routes) {
  if (route.kind !== 'tenant' || withoutRows.includes(nameOf(route))) continue
  t.test(nameOf(route), async (t) => {
    t.equal(await send(route, acme, removed.token), '403 membership_required', 'a member who was removed')
    t.equal(await send(route, acme, signedOut.token), '401 token_stale', 'a member who signed out everywhere')
    t.equal(await send(route, suspended, ofSuspended), '403 organization_suspended', 'a member of a suspended one')
    if (grants(['auditor'], route.permission)) return
    t.equal(await send(route, acme, lowered.token), '403 forbidden', 'a member whose role was lowered')
  })
}

t.test('nothing was begun', async (t) => {
  t.equal(await countRows(), before)
})
