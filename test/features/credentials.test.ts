import t from 'tap'
import { missingCredentials, readCredential } from '../../src/features/credentials/service.ts'
import { TenantContext } from '../../src/tenancy/context.ts'
import type { Role } from '../../src/tenancy/permissions.ts'
import { testApp } from '../support/app.ts'
import { seedTenant, type TestTenant } from '../support/database.ts'

const { app, admin, database, doors, services, keycloak, tokenFor } = await testApp(t)
const [acme, beta] = [await seedTenant(doors, 'acme'), await seedTenant(doors, 'beta')]
for (const tenant of [acme, beta]) keycloak.know(tenant)
const { vault } = services
const secret = 'sk-sentinel-5d1f'

async function call(tenant: TestTenant, method: 'GET' | 'PUT' | 'DELETE', path: string, payload?: object) {
  const role: Role = 'tenant-admin'
  const headers = { authorization: `Bearer ${await tokenFor(tenant, role)}` }
  const answer = await app.inject({ method, url: `/v1${path}`, headers, ...(payload ? { payload } : {}) })
  return { status: answer.statusCode, json: answer.json(), text: answer.body }
}

function rowsOf(tenant: TestTenant) {
  const member = { userId: tenant.members.builder, issuedAt: new Date().toISOString(), roles: ['builder'] }
  return TenantContext.open(database, tenant.tenantId, member, 'credentials:read').rows
}

const read = (tenant: TestTenant, name: string) => readCredential(rowsOf(tenant), vault, tenant.tenantId, name)
const apiKey = (key: string, more: object = {}) => {
  return { type: 'api_key', keys: { key }, allowedHosts: ['api.example.com', 'localhost:8080'], ...more }
}

t.test('what is stored is used, and never read back', async (t) => {
  const put = await call(acme, 'PUT', '/credentials/openai', apiKey(secret))
  t.equal(put.status, 200)
  t.match(put.json, {
    name: 'openai',
    type: 'api_key',
    version: 1,
    keyNames: ['key'],
    allowedHosts: ['api.example.com', 'localhost:8080'],
    expiresAt: null,
    createdBy: `user:${acme.members['tenant-admin']}`,
  })
  t.same(await read(acme, 'openai'), { keys: { key: secret }, allowedHosts: ['api.example.com', 'localhost:8080'] })
  const audit = await call(acme, 'GET', '/audit')
  t.match(audit.json.items[0], { action: 'credentials.create', details: { name: 'openai', version: 1 } })
  for (const path of ['/credentials', '/credentials/openai', '/audit']) {
    t.notMatch((await call(acme, 'GET', path)).text, 'sentinel', path)
  }
  const dump = await admin.query(`select c::text, encode(secret, 'escape') from app.credentials c`)
  t.notMatch(JSON.stringify(dump.rows), 'sentinel', 'nor in the database')
})

t.test('a replacement is a new version; what was sealed before is not opened as it', async (t) => {
  await call(acme, 'PUT', '/credentials/turning', apiKey('first'))
  const before = await admin.query(`select secret from app.credentials where name = 'turning'`)
  const put = await call(acme, 'PUT', '/credentials/turning', {
    type: 'basic_auth',
    keys: { username: 'u', password: 'second' },
    allowedHosts: [],
  })
  t.match(put.json, { type: 'basic_auth', version: 2, keyNames: ['password', 'username'], allowedHosts: [] })
  t.match(await read(acme, 'turning'), { keys: { username: 'u', password: 'second' } })
  await admin.query(`update app.credentials set secret = $1 where name = 'turning'`, [before.rows[0].secret])
  await t.rejects(read(acme, 'turning'), { code: 'secret_unreadable' })
})

t.test('two who replace at once: one of them is told', async (t) => {
  await call(acme, 'PUT', '/credentials/contended', apiKey('zero'))
  const answers = await Promise.all(
    ['one', 'two'].map((key) => call(acme, 'PUT', '/credentials/contended', apiKey(key))),
  )
  const done = answers.filter(({ status }) => status === 200).length
  t.ok(done >= 1)
  t.ok(answers.every(({ status }) => status === 200 || status === 409))
  t.match(await call(acme, 'GET', '/credentials/contended'), { json: { version: 1 + done } })
})

t.test("another organization's credential is nobody's", async (t) => {
  await call(acme, 'PUT', '/credentials/shared-name', apiKey('of acme'))
  await t.rejects(read(beta, 'shared-name'), { code: 'credential_missing' })
  t.equal((await call(beta, 'DELETE', '/credentials/shared-name')).status, 404)
  await call(beta, 'PUT', '/credentials/shared-name', apiKey('of beta'))
  t.match(await read(acme, 'shared-name'), { keys: { key: 'of acme' } })
  t.match(await read(beta, 'shared-name'), { keys: { key: 'of beta' } })
  // Even a row that was copied across stays shut.
  await admin.query(
    `update app.credentials b set secret = a.secret from app.credentials a
                      where a.name = 'shared-name' and a.tenant_id = $1 and b.name = 'shared-name' and b.tenant_id = $2`,
    [acme.tenantId, beta.tenantId],
  )
  await t.rejects(read(beta, 'shared-name'), { code: 'secret_unreadable' })
})

t.test('what has expired, or was deleted, is missing', async (t) => {
  await call(acme, 'PUT', '/credentials/old', apiKey('x', { expiresAt: '2020-01-01T00:00:00Z' }))
  await call(acme, 'PUT', '/credentials/fresh', apiKey('x', { expiresAt: '2999-01-01T00:00:00Z' }))
  await t.rejects(read(acme, 'old'), { code: 'credential_expired' })
  t.same(await missingCredentials(rowsOf(acme), ['old', 'fresh', 'never']), ['old', 'never'])
  t.same(await missingCredentials(rowsOf(acme), []), [])
  t.match(await call(acme, 'DELETE', '/credentials/fresh'), { status: 200, json: { name: 'fresh' } })
  await t.rejects(read(acme, 'fresh'), { code: 'credential_missing' })
  t.equal((await call(acme, 'GET', '/credentials/fresh')).status, 404)
  t.match((await call(acme, 'GET', '/audit')).json.items[0], { action: 'credentials.delete' })
})

t.test('what is no credential is refused, and the secret is in no answer', async (t) => {
  for (const [what, body] of Object.entries({
    'another type': { ...apiKey(secret), type: 'password' },
    'a key that the type has not': { ...apiKey(secret), keys: { token: secret } },
    'a missing key': { type: 'basic_auth', keys: { username: secret }, allowedHosts: [] },
    'a line break in a header': apiKey(`${secret}\r\nx: y`),
    'a value too long': apiKey(secret.repeat(1000)),
    'no value': { ...apiKey(secret), keys: {} },
    'an address as a host': apiKey(secret, { allowedHosts: ['https://api.example.com'] }),
    'a wildcard': apiKey(secret, { allowedHosts: ['*.example.com'] }),
    'a name of JavaScript': { ...apiKey(secret), type: 'custom', keys: { 'a-b': secret } },
    'no date': apiKey(secret, { expiresAt: 'tomorrow' }),
  })) {
    const answer = await call(acme, 'PUT', '/credentials/refused', body)
    t.equal(answer.status, 400, what)
    t.notMatch(answer.text, 'sentinel', what)
  }
  t.equal((await call(acme, 'PUT', '/credentials/..%2Fmaster', apiKey(secret))).status, 400)
  const lines = { type: 'custom', keys: { privateKey: '-----BEGIN\nx\n-----END' }, allowedHosts: [] }
  t.equal((await call(acme, 'PUT', '/credentials/lines', lines)).status, 200, 'a custom value may have lines')
})
