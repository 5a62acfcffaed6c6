import * as client from 'openid-client'

// Signing in from a terminal, or as a service account (RFC 8628, RFC 6749 §4.4). Nothing here is stored.

/** Where people sign in, and as which client of it. */
export interface Issuer {
  /** Such as `https://id.example/realms/enginex`. */
  readonly url: string
  readonly clientId: string
  /** A service account's; there is none for people. */
  readonly clientSecret?: string
}

export interface Tokens {
  readonly accessToken: string
  readonly refreshToken: string | null
  /** ISO 8601. */
  readonly expiresAt: string
}

/** What a person has to do, and how the result comes. */
export interface DeviceSignIn {
  readonly address: string
  readonly code: string
  /** Resolves when the person has confirmed; rejects when they refused, or did nothing for as long as the code lives. */
  readonly tokens: (signal: AbortSignal) => Promise<Tokens>
}

/**
 * Begins to sign a person in on another device. With an organization's alias the tokens are for that organization, if
 * the person belongs to it.
 */
export async function beginDeviceSignIn(issuer: Issuer, organization: string | null): Promise<DeviceSignIn> {
  const config = await configure(issuer)
  const scope = organization === null ? 'openid' : `openid organization:${organization}`
  const answer = await client.initiateDeviceAuthorization(config, { scope })
  return {
    address: answer.verification_uri_complete ?? answer.verification_uri,
    code: answer.user_code,
    tokens: async (signal) =>
      tokensOf(await client.pollDeviceAuthorizationGrant(config, answer, undefined, { signal })),
  }
}

/** New tokens for old ones. Rejects when the sign-in has ended: then the person signs in anew. */
export async function refresh(issuer: Issuer, refreshToken: string): Promise<Tokens> {
  const config = await configure(issuer)
  return tokensOf(await client.refreshTokenGrant(config, refreshToken))
}

/** A service account's tokens, for the one organization that it belongs to. */
export async function signInServiceAccount(issuer: Issuer): Promise<Tokens> {
  const config = await configure(issuer)
  return tokensOf(await client.clientCredentialsGrant(config))
}

/** Ends the sign-in at the issuer, so that the refresh token opens nothing any more. */
export async function signOut(issuer: Issuer, refreshToken: string): Promise<void> {
  await client.tokenRevocation(await configure(issuer), refreshToken)
}

async function configure({ url, clientId, clientSecret }: Issuer): Promise<client.Configuration> {
  const authentication = clientSecret === undefined ? client.None() : client.ClientSecretPost(clientSecret)
  const execute = isLocal(url) ? [client.allowInsecureRequests] : []
  return await client.discovery(new URL(url), clientId, undefined, authentication, { execute })
}

/** Without TLS only to this machine. */
function isLocal(url: string): boolean {
  const { protocol, hostname } = new URL(url)
  return protocol === 'http:' && ['127.0.0.1', 'localhost', '[::1]'].includes(hostname)
}

function tokensOf(answer: Awaited<ReturnType<typeof client.clientCredentialsGrant>>): Tokens {
  const lifeMs = (answer.expiresIn() ?? 60) * 1000
  return {
    accessToken: answer.access_token,
    refreshToken: answer.refresh_token ?? null,
    expiresAt: new Date(Date.now() + lifeMs).toISOString(),
  }
}
