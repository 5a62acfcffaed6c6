import { randomUUID } from 'node:crypto'
import t from 'tap'
import { testApp } from '../support/app.ts'
import { seedTenant } from '../support/database.ts'

// Signing out everywhere ends every token that was issued before, wherever it leads.
const { app, admin, doors, keycloak, issuer } = await testApp(t)
const acme = await seedTenant(doors, 'acme')
keycloak.know(acme)

async function call(token: string, url: string, method: 'GET' | 'POST' = 'GET') {
  const answer = await app.inject({ method, url, headers: { authorization: `Bearer ${token}` } })
  return `${answer.statusCode} ${answer.json().code ?? ''}`.trim()
}

const later = () => new Date(Date.now() + 3000)

t.test('12 the token of a platform admin', async (t) => {
  const person = { userId: randomUUID(), platformAdmin: true }
  const stolen = await issuer.sign(person)
  t.equal(await call(stolen, '/v1/platform/organizations'), '200')
  t.equal(await call(await issuer.sign(person), '/v1/me/sign-out', 'POST'), '200')
  for (const url of ['/v1/platform/organizations', '/v1/me', '/v1/me/organizations'])
    t.equal(await call(stolen, url), '401 token_stale', url)
  t.equal(await call(stolen, '/v1/me/sign-out', 'POST'), '401 token_stale', 'nor sign the person out again')
  t.equal(await call(await issuer.sign({ ...person, issuedAt: later() }), '/v1/platform/organizations'), '200')
})

t.test('12 a token for an organization that has not seen the person yet', async (t) => {
  const userId = randomUUID()
  keycloak.memberships.set(`${acme.organizationId} ${userId}`, { roles: ['operator'], email: null, name: null })
  const person = { userId, organizations: { acme: { id: acme.organizationId, roles: ['operator'] as const } } }
  const stolen = await issuer.sign(person)
  t.equal(await call(await issuer.sign({ userId }), '/v1/me/sign-out', 'POST'), '200')
  t.equal(await call(stolen, '/v1/sessions'), '401 token_stale')
  t.equal(await call(await issuer.sign({ ...person, issuedAt: later() }), '/v1/sessions'), '200')
})

t.test('12 signing out while the person becomes a member', async (t) => {
  const notBefore = new Date()
  for (let round = 0; round < 20; round += 1) {
    const userId = randomUUID()
    const { tenantId } = acme
    const member = { tenantId, userId, kind: 'user', status: 'active', roles: ['operator'] } as const
    await Promise.all([
      doors.mirrorMembership({ ...member, email: null, name: null, notBefore: null }),
      doors.signOutUser(userId, notBefore),
    ])
    const { rows } = await admin.query('select tokens_not_before at from app.memberships where user_id = $1', [userId])
    t.same(rows, [{ at: notBefore }])
  }
})
