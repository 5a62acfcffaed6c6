import Keycloak from 'keycloak-js'

export interface SignInSettings {
  readonly keycloakUrl: string
  readonly realm: string
  readonly clientId: string
}

/** An access token that lives in memory only. */
export interface Grant {
  readonly token: string
  /** Milliseconds of this page's own clock, so that a wrong clock of the machine does no harm. */
  readonly expiresAt: number
  /** Aliases of the organizations that the token speaks for. */
  readonly organizations: readonly string[]
  readonly keycloak: Keycloak
}

/** Keycloak did not answer; nothing is known of the sign-in. */
export class IdentityUnavailable extends Error {}

const answerMs = 15_000
const frameTitle = 'keycloak-silent-check-sso'

/** Scope of a token for one organization, or for nobody but the person. */
export function scopeFor(alias: string | null): string {
  return alias === null ? 'openid' : `openid organization:${alias}`
}

/**
 * One authorization request: the answer that the address of this page carries when Keycloak has just sent the person
 * back, else a new one in a hidden frame. A fresh client each time, since a refresh token would mix organizations when
 * two tabs are open. Null when Keycloak wants to see the person first.
 */
export async function requestGrant(settings: SignInSettings, scope: string): Promise<Grant | null> {
  const keycloak = clientOf(settings)
  const asked = performance.now()
  const answered = keycloak.init({
    onLoad: 'check-sso',
    silentCheckSsoRedirectUri: `${location.origin}/silent-check-sso.html`,
    silentCheckSsoFallback: false,
    checkLoginIframe: false,
    pkceMethod: 'S256',
    scope,
  })
  const authenticated = await orUnavailable(answered)
  const { token, tokenParsed } = keycloak
  if (!authenticated || !token || !tokenParsed) return null
  const lifetimeMs = ((tokenParsed.exp ?? 0) - (tokenParsed.iat ?? 0)) * 1000
  const organizations = Object.keys((tokenParsed['organization'] ?? {}) as object)
  return { token, expiresAt: asked + lifetimeMs, organizations, keycloak }
}

/** Sends the person to Keycloak, and back to where they are; `action` names something to do there, such as a new password. */
export async function leaveToSignIn(settings: SignInSettings, action?: string): Promise<never> {
  const keycloak = clientOf(settings)
  await keycloak.init({ checkLoginIframe: false, pkceMethod: 'S256', scope: scopeFor(null) })
  const redirectUri = `${location.origin}${location.pathname}${location.search}`
  await keycloak.login({ redirectUri, ...(action ? { action } : {}) })
  return await new Promise<never>(() => {})
}

/** The endpoints are given, so that no extra frame looks for third-party cookies on each request. */
function clientOf({ keycloakUrl, realm, clientId }: SignInSettings): Keycloak {
  const base = `${keycloakUrl}/realms/${realm}/protocol/openid-connect`
  return new Keycloak({
    clientId,
    oidcProvider: {
      authorization_endpoint: `${base}/auth`,
      token_endpoint: `${base}/token`,
      end_session_endpoint: `${base}/logout`,
    },
  })
}

/** keycloak-js waits for its frame without end. */
async function orUnavailable(answered: Promise<boolean>): Promise<boolean> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new IdentityUnavailable('the sign-in service does not answer')), answerMs)
  try {
    return await Promise.race([answered, late])
  } catch (error) {
    if (error instanceof TypeError) throw new IdentityUnavailable('the sign-in service cannot be reached')
    throw error
  } finally {
    clearTimeout(timer)
    for (const frame of document.querySelectorAll(`iframe[title="${frameTitle}"]`)) frame.remove()
  }
}
