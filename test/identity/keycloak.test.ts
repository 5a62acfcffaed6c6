import { randomUUID } from 'node:crypto'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { authentication } from '../../src/api/authenticate.ts'
import type { AppError } from '../../src/errors.ts'
import { createTokens, type Identity } from '../../src/identity/tokens.ts'
import { acme, beta } from '../../src/local/demo-data.ts'
import { accessToken, adminApi, keycloakAdmin, keycloakUrl, realm, signIn } from '../support/keycloak.ts'

const audience = 'enginex-api'
const clients = ['enginex-test']
const apiClient = 'e9912e00-0000-4000-8000-0000000000a1'

/** Verifies real tokens as the API does. */
async function verifier(t: Test, accepted: readonly string[] | undefined = clients) {
  const issuer = `${keycloakUrl()}/realms/${realm}`
  const jwksUrl = `${issuer}/protocol/openid-connect/certs`
  const tokens = createTokens({ issuer, jwksUrl, audience, clients: accepted, now: Date.now })
  const app = Fastify()
  t.teardown(() => app.close())
  const authenticate = await authentication(app, { tokens, issuer, audience })
  app.get('/', async (request) => await authenticate(request))
  app.setErrorHandler((error, _request, reply) => reply.code(400).send({ code: (error as AppError).code }))
  return async (token: string) => {
    const answer = await app.inject({ url: '/', headers: { authorization: `Bearer ${token}` } })
    return answer.json() as Identity & { code?: string }
  }
}

t.test('a token speaks for the organization that was asked for, and for no other', async (t) => {
  const verify = await verifier(t)
  const organizations = async (email: string, scope: string) =>
    (await verify(await accessToken(email, scope))).organizations
  const inAcme = { alias: 'acme', id: acme.id, roles: ['operator'] }
  const inBeta = { alias: 'beta', id: beta.id, roles: ['builder'] }
  const both = 'both@partner.test'
  t.same(await organizations(both, 'organization:acme'), [inAcme])
  t.same(await organizations(both, 'organization:beta'), [inBeta])
  t.same(
    (await organizations(both, 'organization:*')).toSorted((a, b) => a.alias.localeCompare(b.alias)),
    [inAcme, inBeta],
  )
  t.same(await organizations(both, ''), [])
  t.same(await organizations(both, 'organization'), [], 'Keycloak does not guess')
  t.same(await organizations('operator@acme.test', 'organization:beta'), [], 'not a member')
  t.same(await organizations('stranger@nowhere.test', 'organization'), [])
  t.same(await organizations('admin@beta.test', 'organization'), [{ ...inBeta, roles: ['tenant-admin'] }])
})

t.test('a token holds what the API needs and nothing of Keycloak itself', async (t) => {
  const verify = await verifier(t)
  const token = await accessToken('auditor@acme.test', 'organization:acme')
  const identity = await verify(token)
  t.match(identity, {
    userId: `${acme.id.slice(0, -2)}a5`,
    email: 'auditor@acme.test',
    platformAdmin: false,
    serviceAccount: false,
  })
  t.equal(identity.expiresAt - identity.issuedAt, 300)
  const claims = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString())
  t.equal(claims.aud, audience, 'no other audience')
  t.notOk('realm_access' in claims || 'resource_access' in claims, 'roles only inside the organization')
  t.equal((await verify(await accessToken('platform@enginex.test'))).platformAdmin, true)
})

t.test('neither the ID token nor the refresh token nor an unlisted client opens the API', async (t) => {
  const verify = await verifier(t)
  const answer = await signIn('operator@acme.test', 'openid organization:acme')
  t.match(await verify(answer.access_token), { email: 'operator@acme.test' })
  t.same(await verify(answer.id_token!), { code: 'token_invalid' })
  t.same(await verify(answer.refresh_token), { code: 'token_invalid' })
  const strict = await verifier(t, ['enginex-console', 'enginex-cli'])
  t.same(await strict(answer.access_token), { code: 'token_invalid' }, 'the test client must be configured')
})

t.test('no client of the product takes a password', async (t) => {
  for (const client of ['enginex-console', 'enginex-cli', 'admin-cli', 'account-console']) {
    const { error } = await signIn('operator@acme.test', '', { client })
    t.ok(['unauthorized_client', 'invalid_client'].includes(error!), `${client}: ${error}`)
  }
})

t.test('an organization is made once, with its groups and its first admin', async (t) => {
  const keycloak = keycloakAdmin()
  const wanted = newOrganization()
  const first = await keycloak.ensureOrganization(wanted)
  t.equal(first.created, true)
  t.match(first.admin, { email: wanted.adminEmail, created: true, oneTimePassword: String })
  t.same(await keycloak.membership(first.id, first.admin!.userId), {
    roles: ['tenant-admin'],
    email: wanted.adminEmail,
    name: null,
  })
  const { error_description } = await signIn(wanted.adminEmail, '', { password: first.admin!.oneTimePassword! })
  t.equal(error_description, 'Account is not fully set up', 'right, but to be changed before anything else')

  const again = await keycloak.ensureOrganization(wanted)
  t.same([again.id, again.created, again.admin?.userId], [first.id, false, first.admin?.userId])
  await t.rejects(keycloak.ensureOrganization({ ...wanted, adminEmail: 'admin@beta.test' }), { code: 'conflict' })
  await t.rejects(keycloak.ensureOrganization({ ...wanted, name: 'Another name' }), { code: 'conflict' })
  await t.rejects(keycloak.ensureOrganization({ ...newOrganization(), name: wanted.name }), { code: 'conflict' })
})

t.test('whoever exists joins with the password they have', async (t) => {
  const keycloak = keycloakAdmin()
  const { id, admin } = await keycloak.ensureOrganization({ ...newOrganization(), adminEmail: 'Stranger@nowhere.test' })
  t.match(admin, { email: 'stranger@nowhere.test', created: false, oneTimePassword: null })
  t.match(await keycloak.membership(id, admin!.userId), { roles: ['tenant-admin'], name: 'Stan Stranger' })
  await adminApi().call('DELETE', `/organizations/${id}/members/${admin!.userId}`)
  t.equal(await keycloak.membership(id, admin!.userId), null)
})

t.test('a crash between any two requests is completed by repeating the call', async (t) => {
  let calls = 0
  const counting: typeof fetch = (...request) => {
    calls += 1
    return fetch(...request)
  }
  await keycloakAdmin(counting).ensureOrganization(newOrganization())
  t.ok(calls > 10)
  for (let survived = 1; survived < calls; survived += 1) {
    const wanted = newOrganization()
    let left = survived
    const crashing: typeof fetch = async (...request) => {
      left -= 1
      if (left < 0) throw new Error('crash')
      return await fetch(...request)
    }
    await t.rejects(keycloakAdmin(crashing).ensureOrganization(wanted), { code: 'identity_unavailable' })
    const { id, admin } = await keycloakAdmin().ensureOrganization(wanted)
    t.match(await keycloakAdmin().membership(id, admin!.userId), { roles: ['tenant-admin'] })
    t.type(admin!.oneTimePassword, 'string', 'the password that nobody was told is replaced')
    t.same(await rolesOfGroups(id), ['auditor', 'builder', 'operator', 'tenant-admin'])
  }
})

t.test('the first admin signs in for the new organization', async (t) => {
  const verify = await verifier(t)
  const wanted = newOrganization()
  const { id, admin } = await keycloakAdmin().ensureOrganization(wanted)
  await finishAccount(admin!.userId, 'Chosen-Password-1')
  const { access_token } = await signIn(wanted.adminEmail, `organization:${wanted.alias}`, {
    password: 'Chosen-Password-1',
  })
  t.match((await verify(access_token)).organizations, [{ id, roles: ['tenant-admin'] }])
})

t.test('membership follows groups, organization and account', async (t) => {
  const keycloak = keycloakAdmin()
  const api = adminApi()
  const { id, admin } = await keycloak.ensureOrganization(newOrganization())
  const { userId } = admin!
  const groups = (await api.call<{ id: string; name: string }[]>('GET', `/organizations/${id}/groups`)).body
  const auditors = groups.find(({ name }) => name === 'auditors')!
  await api.call('PUT', `/organizations/${id}/groups/${auditors.id}/members/${userId}`)
  t.same((await keycloak.membership(id, userId))?.roles, ['tenant-admin', 'auditor'])
  t.match(await keycloak.organizationsOf(userId), [{ id }])

  t.equal(await keycloak.membership(id, randomUUID()), null, 'nobody')
  t.equal(await keycloak.membership(randomUUID(), userId), null, 'nowhere')
  t.equal(await keycloak.membership(acme.id, userId), null, 'elsewhere')
  const account = (await api.call<object>('GET', `/users/${userId}`)).body
  await api.call('PUT', `/users/${userId}`, { ...account, enabled: false })
  t.equal(await keycloak.membership(id, userId), null, 'the account is disabled')
  await api.call('PUT', `/users/${userId}`, { ...account, enabled: true })
  const organization = (await api.call<object>('GET', `/organizations/${id}`)).body
  await api.call('PUT', `/organizations/${id}`, { ...organization, enabled: false })
  t.equal(await keycloak.membership(id, userId), null, 'the organization is disabled')
  t.same(await keycloak.organizationsOf(userId), [])
})

t.test('signing out ends every sign-in and tells the time of Keycloak', async (t) => {
  const verify = await verifier(t)
  const { access_token, refresh_token } = await signIn('operator2@beta.test', 'organization:beta')
  const { userId, issuedAt } = await verify(access_token)
  const at = await keycloakAdmin().signOut(userId)
  t.ok(at.getTime() >= issuedAt * 1000 && at.getTime() <= Date.now() + 1000)
  const body = new URLSearchParams({ grant_type: 'refresh_token', client_id: 'enginex-test', refresh_token })
  const address = `${keycloakUrl()}/realms/${realm}/protocol/openid-connect/token`
  t.equal((await fetch(address, { method: 'POST', body })).status, 400)
  await t.resolves(keycloakAdmin().signOut(randomUUID()), 'somebody unknown has no sign-in to end')
})

t.test('the service account has no right beyond its work', async (t) => {
  const api = adminApi()
  for (const path of [
    '/clients',
    '/roles',
    '/events',
    '/admin-events',
    '/identity-provider/instances',
    '/authentication/flows',
  ]) {
    const { status, body } = await api.call<unknown[]>('GET', path, undefined, [403])
    t.ok(status === 403 || (Array.isArray(body) && body.length === 0), path)
  }
  t.equal((await api.call('PUT', '', { realm, registrationAllowed: true }, [403])).status, 403)
})

t.test('Keycloak out of reach is said so', async (t) => {
  const down = keycloakAdmin(() => Promise.reject(new Error('refused')))
  t.equal(await down.healthy(), false)
  t.equal(await keycloakAdmin().healthy(), true)
  await t.rejects(down.membership(acme.id, randomUUID()), { code: 'identity_unavailable' })
})

function newOrganization() {
  const alias = `org-${randomUUID().slice(0, 8)}`
  return { alias, name: `Organization ${alias}`, adminEmail: `first@${alias}.test` }
}

/** What the person does at the first sign-in, in the browser. */
async function finishAccount(userId: string, password: string) {
  const api = adminApi()
  const { body } = await api.call<object>('GET', `/users/${userId}`)
  await api.call('PUT', `/users/${userId}`, { ...body, firstName: 'First', lastName: 'Admin', requiredActions: [] })
  await api.call('PUT', `/users/${userId}/reset-password`, { type: 'password', value: password, temporary: false })
}

/** The role that each group of an organization gives: the one that it cannot be given any more. */
async function rolesOfGroups(organizationId: string): Promise<string[]> {
  const api = adminApi()
  const base = `/organizations/${organizationId}/groups`
  const { body: groups } = await api.call<{ id: string }[]>('GET', base)
  const given = groups.map(async ({ id }) => {
    const available = await api.call<{ name: string }[]>(
      'GET',
      `${base}/${id}/role-mappings/clients/${apiClient}/available`,
    )
    const names = available.body.map(({ name }) => name)
    return ['auditor', 'builder', 'operator', 'tenant-admin'].filter((role) => !names.includes(role))
  })
  return (await Promise.all(given)).flat().toSorted()
}
