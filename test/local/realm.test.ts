import { readFileSync } from 'node:fs'
import t from 'tap'
import { demoData, testData } from '../../src/local/demo-data.ts'
import { buildOptions } from '../../src/local/keycloak-distribution.ts'
import { realmImport } from '../../src/local/realm.ts'

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const base = { consoleOrigins: ['http://127.0.0.1:8787'], adminClientSecret: 'a secret of the test' }
const clientsOf = (realm: ReturnType<typeof realmImport>) => realm.clients.map(({ clientId }) => clientId)

t.test('the template holds no people, addresses or secrets', async (t) => {
  const template = JSON.parse(read('keycloak/realm.json'))
  t.same(template.organizations, [])
  t.same(template.users, [
    {
      username: 'service-account-enginex-admin',
      enabled: true,
      serviceAccountClientId: 'enginex-admin',
      clientRoles: { 'realm-management': ['manage-organizations', 'manage-users'] },
    },
  ])
  for (const client of template.clients) t.notOk('secret' in client, client.clientId)
  const console = template.clients.find((client: { clientId: string }) => client.clientId === 'enginex-console')
  t.same([console.redirectUris, console.webOrigins], [[], []])
})

t.test('a plain realm has no demonstration and no test client', async (t) => {
  const realm = realmImport(base)
  t.notOk(clientsOf(realm).includes('enginex-test') || clientsOf(realm).includes('enginex-demo'))
  t.equal(realm.users.length, 1)
  t.same(realm.organizations, [])
  t.match(realm, {
    registrationAllowed: false,
    bruteForceProtected: true,
    accessTokenLifespan: 300,
    organizationsEnabled: true,
  })
  const [console, admin] = ['enginex-console', 'enginex-admin'].map(
    (id) => realm.clients.find((one) => one.clientId === id)!,
  )
  t.match(console, {
    redirectUris: ['http://127.0.0.1:8787/*'],
    webOrigins: ['http://127.0.0.1:8787'],
    publicClient: true,
  })
  t.equal(console!.attributes!['pkce.code.challenge.method'], 'S256')
  t.equal(admin!.secret, base.adminClientSecret)
})

t.test('nobody signs in by password, except through the test client', async (t) => {
  const realm = realmImport({ ...base, demo: testData, demoClientSecret: 'another secret', testClient: true })
  const direct = realm.clients.filter((client) => client.directAccessGrantsEnabled)
  t.same(
    direct.map(({ clientId }) => clientId),
    ['enginex-test'],
  )
  t.ok(realm.clients.every((client) => client.fullScopeAllowed === false && !client.implicitFlowEnabled))
})

t.test('the demonstration has everybody the README promises', async (t) => {
  const emails = demoData.people.map(({ email }) => email)
  for (const { domain } of demoData.organizations) {
    for (const post of ['admin', 'builder', 'operator', 'operator2', 'auditor'])
      t.ok(emails.includes(`${post}@${domain}`))
  }
  t.equal(emails.length, 12)
  const ids = [demoData.organizations, demoData.organizations.flatMap(({ groups }) => groups), testData.people].flat()
  t.equal(new Set(ids.map(({ id }) => id)).size, ids.length, 'no id twice')
  const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/
  for (const { id } of ids) t.match(id, uuid)
})

t.test('compose.yaml runs the same Keycloak in the same way', async (t) => {
  const compose = read('compose.yaml')
  const version = /<keycloak.version>(.+)</.exec(read('keycloak/pom.xml'))![1]
  t.ok(compose.includes(`quay.io/keycloak/keycloak:${version}`))
  for (const option of [...buildOptions, '--import-realm', '--cache=local']) t.ok(compose.includes(option), option)
  for (const [, path] of compose.matchAll(/node,? (src\/[\w/]+\.ts)/g)) t.ok(read(path!).length > 0, path!)
})
