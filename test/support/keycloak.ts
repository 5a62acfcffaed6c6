import { createAdminApi } from '../../src/identity/admin-api.ts'
import { createKeycloakAdmin, type KeycloakAdmin } from '../../src/identity/keycloak-admin.ts'
import { demoPassword } from '../../src/local/demo-data.ts'

function variable(name: string): string {
  const value = process.env[name]
  if (!value) throw new Error(`no Keycloak was started for this test: run it by "npm test -- test/…"`)
  return value
}

/** Where test/run.ts has started Keycloak. */
export function keycloakUrl(): string {
  return variable('ENGINEX_TEST_KEYCLOAK_URL')
}

export const realm = 'enginex'

const ourClient = () => ({
  url: keycloakUrl(),
  realm,
  clientId: 'enginex-admin',
  clientSecret: variable('ENGINEX_TEST_KEYCLOAK_SECRET'),
})

/** Keycloak as the API sees it, or with its requests in the test's hand. */
export function keycloakAdmin(send?: typeof fetch): KeycloakAdmin {
  return createKeycloakAdmin({ ...ourClient(), fetch: send })
}

/** The raw admin API, with the rights of the API's own service account. */
export function adminApi() {
  return createAdminApi(ourClient())
}

/** A sign-in by password through the test client; the whole answer of the token endpoint. */
export async function signIn(email: string, scope: string, { password = demoPassword, client = 'enginex-test' } = {}) {
  const body = new URLSearchParams({ grant_type: 'password', client_id: client, username: email, password })
  if (scope) body.set('scope', scope)
  const answer = await fetch(`${keycloakUrl()}/realms/${realm}/protocol/openid-connect/token`, { method: 'POST', body })
  return (await answer.json()) as {
    access_token: string
    id_token?: string
    refresh_token: string
    error?: string
    error_description?: string
  }
}

/** An access token of a demo person, such as operator@acme.test with organization:acme. */
export async function accessToken(email: string, scope = ''): Promise<string> {
  const { access_token, error_description } = await signIn(email, scope)
  if (!access_token) throw new Error(`${email} could not sign in: ${error_description}`)
  return access_token
}
