import { randomUUID } from 'node:crypto'
import t from 'tap'
import type { Role } from '../../src/tenancy/permissions.ts'
import { testApp } from '../support/app.ts'
import { addMember, seedTenant } from '../support/database.ts'

const { app, doors, admin, keycloak, issuer } = await testApp(t)
const acme = await seedTenant(doors, 'acme')
const beta = await seedTenant(doors, 'beta')

async function get(token: string, url = '/v1/agents') {
  const answer = await app.inject({ method: 'GET', url, headers: { authorization: `Bearer ${token}` } })
  return { status: answer.statusCode, code: answer.json().code, detail: answer.json().detail }
}

function tokenOf(userId: string, roles: Role[], tenant = acme) {
  return issuer.sign({ userId, organizations: { [tenant.alias]: { id: tenant.organizationId, roles } } })
}

function inKeycloak(userId: string, roles: Role[]) {
  keycloak.memberships.set(`${acme.organizationId} ${userId}`, { roles, email: `${userId}@acme.test`, name: null })
}

async function rowOf(userId: string) {
  const { rows } = await admin.query('select status, roles from memberships where user_id = $1', [userId])
  return rows[0]
}

t.test('a first-time member comes in with what Keycloak says, and that is audited', async (t) => {
  const userId = randomUUID()
  inKeycloak(userId, ['operator'])
  t.equal((await get(await tokenOf(userId, ['operator']))).status, 200)
  t.same(await rowOf(userId), { status: 'active', roles: ['operator'] })
  const { rows } = await admin.query(
    "select details from audit_entries where action = 'members.mirror' and resource = $1",
    [`member:${userId}`],
  )
  t.match(rows, [{ details: { before: null, after: { status: 'active', roles: ['operator'] } } }])
})

t.test('a hundred requests of a first-time member at once ask Keycloak once', async (t) => {
  const userId = randomUUID()
  inKeycloak(userId, ['operator'])
  let asked = 0
  const { membership } = keycloak
  keycloak.membership = (...ids) => {
    asked += 1
    return membership(...ids)
  }
  const token = await tokenOf(userId, ['operator'])
  const answers = await Promise.all(Array.from({ length: 100 }, () => get(token)))
  keycloak.membership = membership
  t.ok(answers.every(({ status }) => status === 200))
  t.equal(asked, 1)
})

t.test('a claim without membership is refused and leaves no row; insisting does not reach Keycloak', async (t) => {
  const userId = randomUUID()
  const token = await tokenOf(userId, ['tenant-admin'])
  let asked = 0
  const { membership } = keycloak
  keycloak.membership = (...ids) => {
    asked += 1
    return membership(...ids)
  }
  for (let n = 0; n < 20; n += 1) t.match(await get(token), { status: 403, code: 'membership_required' })
  keycloak.membership = membership
  t.ok(asked > 0 && asked < 20, `asked ${asked} times for 20 requests`)
  t.equal(await rowOf(userId), undefined)
})

t.test('a claim that says more than Keycloak gives no more', async (t) => {
  const userId = randomUUID()
  inKeycloak(userId, ['auditor'])
  const token = await tokenOf(userId, ['tenant-admin'])
  t.equal((await get(token, '/v1/audit')).status, 200, 'both hands allow reading the audit log')
  t.same(await rowOf(userId), { status: 'active', roles: ['auditor'] })
  const write = await app.inject({
    method: 'POST',
    url: '/v1/agents/some-agent/archive',
    headers: { authorization: `Bearer ${token}` },
  })
  t.match({ status: write.statusCode, ...write.json() }, { status: 403, code: 'forbidden' })
})

t.test('a row that says more than the claim gives no more', async (t) => {
  const userId = randomUUID()
  await addMember(doors, acme.tenantId, userId, ['tenant-admin'])
  inKeycloak(userId, ['tenant-admin'])
  t.match(await get(await tokenOf(userId, ['operator']), '/v1/audit'), { status: 403, code: 'forbidden' })
})

t.test('somebody removed in Keycloak is removed here when the claim differs from the row', async (t) => {
  const userId = randomUUID()
  await addMember(doors, acme.tenantId, userId, ['operator'])
  t.match(await get(await tokenOf(userId, ['builder'])), { status: 403, code: 'membership_required' })
  t.match(await rowOf(userId), { status: 'removed' })
})

t.test('Keycloak down: known people go on, nobody new comes in', async (t) => {
  const known = randomUUID()
  await addMember(doors, acme.tenantId, known, ['operator'])
  keycloak.down = true
  t.teardown(() => {
    keycloak.down = false
  })
  t.equal((await get(await tokenOf(known, ['operator']))).status, 200)
  t.equal((await get(await tokenOf(known, ['operator', 'builder']))).status, 200, 'with what both agree on')
  t.match(await get(await tokenOf(randomUUID(), ['operator'])), { status: 503, code: 'identity_unavailable' })
  const ready = await app.inject({ method: 'GET', url: '/readyz' })
  t.match({ status: ready.statusCode, ...ready.json() }, { status: 200, ready: true, identity: false })
})

t.test('the claim must name exactly one organization, by its id', async (t) => {
  const userId = acme.members.operator
  const both = {
    acme: { id: acme.organizationId, roles: ['operator'] as const },
    beta: { id: beta.organizationId, roles: ['operator'] as const },
  }
  const ambiguous = await get(await issuer.sign({ userId, organizations: both }))
  t.match(ambiguous, { status: 400, code: 'organization_ambiguous', detail: /acme, beta/ })
  t.match(await get(await issuer.sign({ userId })), { status: 403, code: 'organization_required' })
  t.match(await get(await issuer.sign({ userId, organizations: {} })), { status: 403, code: 'organization_required' })
  const nameless = await issuer.sign({ userId, organizations: { acme: { roles: ['operator'] } } })
  t.match(await get(nameless), { status: 403, code: 'organization_required' })
  const foreign = await issuer.sign({ userId, organizations: { acme: { id: randomUUID(), roles: ['operator'] } } })
  t.match(
    await get(foreign),
    { status: 403, code: 'organization_unknown' },
    'an alias used again is another organization',
  )
})
