import { createHash, randomBytes, randomUUID } from 'node:crypto'
import t from 'tap'
import { demoPassword } from '../../src/local/demo-data.ts'
import { adminApi, keycloakAdmin, keycloakUrl, realm } from '../support/keycloak.ts'

// An e-mail address decides who becomes an organization's first admin, and whose name stands under a decision. So nobody
// gets an address by claiming it.

const openid = `${keycloakUrl()}/realms/${realm}/protocol/openid-connect`

/** Signs in to Keycloak's own account pages, as a browser would, and gives their token. */
async function accountToken(email: string): Promise<string> {
  const verifier = randomBytes(32).toString('base64url')
  const redirect_uri = `${keycloakUrl()}/realms/${realm}/account/`
  const client = { client_id: 'account-console', redirect_uri }
  const code_challenge = createHash('sha256').update(verifier).digest('base64url')
  const pkce = { code_challenge, code_challenge_method: 'S256' }
  const asked = new URLSearchParams({ ...client, ...pkce, response_type: 'code', scope: 'openid' })
  let page = await fetch(`${openid}/auth?${asked}`)
  const cookie = page.headers
    .getSetCookie()
    .map((one) => one.split(';')[0])
    .join('; ')
  // First who, then the password: Keycloak asks on two pages where there are organizations.
  const answers: Record<string, string>[] = [{ username: email }, { username: email, password: demoPassword }]
  for (const answer of answers) {
    const action = /action="([^"]+)"/.exec(await page.text())![1]!.replaceAll('&amp;', '&')
    const body = new URLSearchParams(answer)
    page = await fetch(action, { method: 'POST', body, headers: { cookie }, redirect: 'manual' })
  }
  const code = new URL(page.headers.get('location')!).searchParams.get('code')!
  const body = new URLSearchParams({ ...client, code, code_verifier: verifier, grant_type: 'authorization_code' })
  const answer = await fetch(`${openid}/token`, { method: 'POST', body })
  return ((await answer.json()) as { access_token: string }).access_token
}

t.test(
  '29 nobody takes an address in the account pages, so nobody waits there for an organization to come',
  async (t) => {
    const headers = {
      authorization: `Bearer ${await accountToken('builder@beta.test')}`,
      'content-type': 'application/json',
      accept: 'application/json',
    }
    const address = `${keycloakUrl()}/realms/${realm}/account`
    const profile = (await (await fetch(address, { headers })).json()) as Record<string, unknown>
    t.match(profile, { email: 'builder@beta.test' })
    const coming = `chief-${randomUUID().slice(0, 8)}@coming.test`
    const taken = JSON.stringify({ ...profile, email: coming, username: coming })
    await fetch(address, { method: 'POST', headers, body: taken })
    const found = await adminApi().call<unknown[]>(
      'GET',
      `/users?${new URLSearchParams({ email: coming, exact: 'true' })}`,
    )
    t.same(found.body, [], 'the address is still free')
    const renamed = JSON.stringify({ ...profile, firstName: 'Bea' })
    t.equal((await fetch(address, { method: 'POST', headers, body: renamed })).status, 204, 'the name is their own')
  },
)

t.test('29 an account whose address nobody has verified does not become the first admin', async (t) => {
  const email = `claimed-${randomUUID().slice(0, 8)}@coming.test`
  const account = { username: email, email, emailVerified: false, enabled: true }
  await adminApi().call('POST', '/users', account)
  const alias = `org-${randomUUID().slice(0, 8)}`
  const wanted = { alias, name: `Organization ${alias}`, adminEmail: email }
  await t.rejects(keycloakAdmin().ensureOrganization(wanted), { code: 'conflict', message: /verified/ })
})
