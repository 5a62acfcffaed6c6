import { randomUUID } from 'node:crypto'
import t from 'tap'
import { testApp } from '../support/app.ts'
import { seedTenant } from '../support/database.ts'

const { app, doors, admin, keycloak, issuer, tokenFor } = await testApp(t)
const acme = await seedTenant(doors, 'acme')
keycloak.know(acme)
const platform = await issuer.sign({ platformAdmin: true })

async function call(method: 'GET' | 'POST', url: string, token: string, body?: object) {
  const answer = await app.inject({
    method,
    url,
    headers: { authorization: `Bearer ${token}` },
    ...(body ? { body } : {}),
  })
  return { status: answer.statusCode, body: answer.json() }
}

t.test('create: organization, tenant and first admin; the password is shown once', async (t) => {
  const wanted = { alias: 'gamma', name: 'Gamma Ltd', adminEmail: 'first@gamma.test' }
  const made = await call('POST', '/v1/platform/organizations', platform, wanted)
  t.equal(made.status, 201)
  t.match(made.body, {
    organization: { alias: 'gamma', status: 'active' },
    admin: { created: true, oneTimePassword: String },
  })
  const again = await call('POST', '/v1/platform/organizations', platform, wanted)
  t.match(again, { status: 409, body: { code: 'conflict' } }, 'a complete one is never handed to a second admin')
})

t.test('create after a crash between Keycloak and the directory: the repeated call completes', async (t) => {
  const wanted = { alias: 'delta', name: 'Delta Ltd', adminEmail: 'first@delta.test' }
  await keycloak.ensureOrganization(wanted)
  t.equal((await call('POST', '/v1/platform/organizations', platform, wanted)).status, 201)
  const { body } = await call('GET', '/v1/platform/organizations', platform)
  t.ok(body.items.some((one: { alias: string }) => one.alias === 'delta'))
})

t.test('the list pages by cursor, each organization once', async (t) => {
  for (let n = 0; n < 25; n += 1) {
    await doors.provisionTenant({ id: randomUUID(), alias: `page-${n}`, name: 'P', region: 'home' }, 'platform:test')
  }
  const seen: string[] = []
  let cursor = ''
  do {
    const { body } = await call('GET', `/v1/platform/organizations?limit=20${cursor}`, platform)
    seen.push(...body.items.map((one: { id: string }) => one.id))
    cursor = body.nextCursor ? `&cursor=${body.nextCursor}` : ''
  } while (cursor)
  t.equal(new Set(seen).size, seen.length)
  t.ok(seen.length >= 28)
})

t.test('a suspended organization is refused on the next request, and works again when it is reactivated', async (t) => {
  const token = await tokenFor(acme, 'operator')
  t.equal((await call('GET', '/v1/sessions', token)).status, 200)
  const path = `/v1/platform/organizations/${acme.organizationId}`
  t.match(await call('POST', `${path}/suspend`, platform), { status: 200, body: { status: 'suspended' } })
  t.match(await call('GET', '/v1/sessions', token), { status: 403, body: { code: 'organization_suspended' } })
  t.match(await call('POST', `${path}/reactivate`, platform), { status: 200, body: { status: 'active' } })
  t.equal((await call('GET', '/v1/sessions', token)).status, 200)
  const { rows } = await admin.query(
    "select action, actor from audit_entries where action like 'organizations.%' and tenant_id = $1",
    [acme.tenantId],
  )
  t.same(
    rows.map((row) => row.action),
    ['organizations.create', 'organizations.suspend', 'organizations.reactivate'],
  )
  t.equal((await call('POST', `/v1/platform/organizations/${randomUUID()}/suspend`, platform)).status, 404)
})

t.test('only platform admins reach the platform, and they reach no tenant', async (t) => {
  const admin = await tokenFor(acme, 'tenant-admin')
  t.match(await call('GET', '/v1/platform/organizations', admin), { status: 403, body: { code: 'forbidden' } })
  t.match(await call('GET', '/v1/sessions', platform), { status: 403, body: { code: 'organization_required' } })
})

t.test('own organizations: one that only Keycloak knows yet is there at the first visit', async (t) => {
  const userId = randomUUID()
  const token = await issuer.sign({ userId })
  t.same((await call('GET', '/v1/me/organizations', token)).body, { items: [] })
  keycloak.memberships.set(`${acme.organizationId} ${userId}`, {
    roles: ['operator'],
    email: 'new@acme.test',
    name: 'New',
  })
  t.match((await call('GET', '/v1/me/organizations', token)).body, { items: [{ alias: 'acme', roles: ['operator'] }] })
  keycloak.down = true
  t.match(
    (await call('GET', '/v1/me/organizations', token)).body.items.length,
    1,
    'what is known stays when Keycloak is down',
  )
  keycloak.down = false
})

t.test('sign out everywhere: tokens that exist are refused from now on', async (t) => {
  const token = await tokenFor(acme, 'auditor')
  t.equal((await call('GET', '/v1/audit', token)).status, 200)
  t.equal((await call('POST', '/v1/me/sign-out', token)).status, 200)
  t.match(await call('GET', '/v1/audit', token), { status: 401, body: { code: 'token_stale' } })
  const { auditor: userId } = acme.members
  const organizations = { acme: { id: acme.organizationId, roles: ['auditor'] as const } }
  const later = await issuer.sign({ userId, organizations, issuedAt: new Date(Date.now() + 3000) })
  t.equal((await call('GET', '/v1/audit', later)).status, 200)
})

t.test('who am I', async (t) => {
  const userId = randomUUID()
  t.match((await call('GET', '/v1/me', await issuer.sign({ userId }))).body, { id: userId, platformAdmin: false })
})

t.test('own organizations: a service account is written down as one, not as a person', async (t) => {
  const userId = randomUUID()
  const other = { preferred_username: 'service-account-enginex-cli', azp: 'enginex-cli' }
  const token = await issuer.sign({ userId, other })
  keycloak.memberships.set(`${acme.organizationId} ${userId}`, { roles: ['builder'], email: null, name: null })
  t.equal((await call('GET', '/v1/me/organizations', token)).status, 200)
  const { rows } = await admin.query('select kind from memberships where user_id = $1', [userId])
  t.same(rows, [{ kind: 'service-account' }])
})
