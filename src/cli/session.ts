import { beginDeviceSignIn, refresh, signInServiceAccount, signOut, type Tokens } from '../identity/sign-in.ts'
import { CliError, exitCodes } from './failure.ts'
import type { SignIn, Store } from './store.ts'

const clientId = 'enginex-cli'
/** A token that ends sooner is renewed before it is used. */
const reserveMs = 15_000

export interface SessionOptions {
  readonly store: Store
  /** ENGINEX_URL; with a service account there is no stored sign-in to take it from. */
  readonly url: string | undefined
  readonly serviceAccount: { readonly clientId: string; readonly clientSecret: string } | null
}

/** Who this program acts as. */
export interface Session {
  /** Of EngineX. Throws `signed_out` when nothing says which one. */
  url(): Promise<string>
  /** A token that is good for a while yet. Throws `signed_out` when the person has to sign in anew. */
  token(): Promise<string>
  /** The same after the API refused the last one: it may have been too old. */
  renewedToken(): Promise<string>
}

const signedOut = new CliError(exitCodes.signIn, 'signed_out', 'you are not signed in: run "enginex login <address>"')

export function createSession({ store, url, serviceAccount }: SessionOptions): Session {
  return serviceAccount ? ofServiceAccount(url, serviceAccount) : ofPerson(store, url)
}

function ofServiceAccount(url: string | undefined, account: { clientId: string; clientSecret: string }): Session {
  let tokens: Promise<Tokens> | undefined
  const address = async () => {
    if (url) return url
    throw new CliError(exitCodes.usage, 'url_missing', 'a service account needs ENGINEX_URL, the address of EngineX')
  }
  const signIn = async () => signInServiceAccount({ url: await issuerOf(await address()), ...account })
  return {
    url: address,
    async token() {
      if (!tokens || isOld(await tokens)) tokens = signIn()
      return (await tokens).accessToken
    },
    async renewedToken() {
      tokens = signIn()
      return (await tokens).accessToken
    },
  }
}

function ofPerson(store: Store, url: string | undefined): Session {
  const current = async () => {
    const signIn = await store.read()
    if (!signIn || (url !== undefined && url !== signIn.url)) throw signedOut
    return signIn
  }
  const renewed = async (): Promise<string> => {
    const signIn = await current()
    const tokens = await renew(signIn)
    await store.write({ ...signIn, tokens })
    return tokens.accessToken
  }
  return {
    url: async () => url ?? (await current()).url,
    token: async () => {
      const { tokens } = await current()
      return isOld(tokens) ? await renewed() : tokens.accessToken
    },
    renewedToken: renewed,
  }
}

/**
 * Tokens for the same organization as before. Keycloak may give a refreshed token another organization when the person
 * signs in elsewhere meanwhile, so what comes back is looked at, and refused when it differs.
 */
async function renew({ issuerUrl, organization, tokens }: SignIn): Promise<Tokens> {
  if (tokens.refreshToken === null) throw signedOut
  const fresh = await refresh({ url: issuerUrl, clientId }, tokens.refreshToken).catch((error) => {
    throw new CliError(
      exitCodes.signIn,
      'signed_out',
      `your sign-in has ended: run "enginex login" (${reasonOf(error)})`,
    )
  })
  if (organizationIn(fresh.accessToken) === organization) return fresh
  throw new CliError(
    exitCodes.signIn,
    'signed_out',
    'your sign-in is for another organization now: run "enginex login"',
  )
}

/**
 * Signs a person in with the device flow and stores it. `show` tells the person where to go.
 * @returns the organization of the token; null for none
 */
export async function login(
  store: Store,
  url: string,
  organization: string | null,
  { show, signal }: { show: (address: string, code: string) => void; signal: AbortSignal },
): Promise<string | null> {
  const issuerUrl = await issuerOf(url)
  const device = await beginDeviceSignIn({ url: issuerUrl, clientId }, organization)
  show(device.address, device.code)
  const tokens = await device.tokens(signal).catch((error) => {
    throw new CliError(exitCodes.signIn, 'sign_in_refused', `the sign-in was not completed: ${reasonOf(error)}`)
  })
  const found = organizationIn(tokens.accessToken)
  if (organization !== null && found !== organization) {
    throw new CliError(exitCodes.signIn, 'organization_unknown', `you are not a member of "${organization}"`)
  }
  await store.write({ url, issuerUrl, organization: found, tokens })
  return found
}

/** Ends the stored sign-in, here and at the issuer; an issuer that is away does not keep it here. */
export async function logout(store: Store): Promise<void> {
  const signIn = await store.read()
  await store.clear()
  const refreshToken = signIn?.tokens.refreshToken
  if (signIn && refreshToken) await signOut({ url: signIn.issuerUrl, clientId }, refreshToken).catch(() => undefined)
}

async function issuerOf(url: string): Promise<string> {
  const answer = await fetch(`${url}/console-config.json`, { signal: AbortSignal.timeout(10_000) }).catch((error) => {
    throw new CliError(exitCodes.failed, 'unreachable', `${url} cannot be reached: ${reasonOf(error)}`)
  })
  const { keycloakUrl, realm } = (await answer.json().catch(() => ({}))) as Record<string, unknown>
  if (typeof keycloakUrl === 'string' && typeof realm === 'string') return `${keycloakUrl}/realms/${realm}`
  throw new CliError(exitCodes.failed, 'not_enginex', `${url} does not answer as EngineX does`)
}

function isOld({ expiresAt }: Tokens): boolean {
  return Date.parse(expiresAt) - Date.now() < reserveMs
}

/** The one organization that a token names. It is only looked at; the API verifies it. */
function organizationIn(accessToken: string): string | null {
  const [, payload = ''] = accessToken.split('.')
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as { organization?: object }
  const aliases = Object.keys(claims.organization ?? {})
  return aliases.length === 1 ? (aliases[0] as string) : null
}

function reasonOf(error: unknown): string {
  const { cause, message, error_description } = error as Error & { error_description?: string }
  return error_description ?? (cause instanceof Error ? cause.message : message)
}
