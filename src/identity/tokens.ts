import { hash } from 'node:crypto'
import { AppError } from '../errors.ts'
import { createKeys } from './keys.ts'

/** One entry of the organization claim. Without an id it opens nothing: an alias can be given away again. */
export interface OrganizationClaim {
  readonly alias: string
  readonly id: string | null
  readonly roles: readonly string[]
}

/** Who a verified token speaks for. */
export interface Identity {
  readonly userId: string
  /** Seconds since 1970, Keycloak's clock. */
  readonly issuedAt: number
  readonly expiresAt: number
  readonly clientId: string
  readonly serviceAccount: boolean
  readonly email: string | null
  readonly emailVerified: boolean
  readonly name: string | null
  readonly platformAdmin: boolean
  readonly organizations: readonly OrganizationClaim[]
}

export interface TokensOptions {
  readonly issuer: string
  readonly jwksUrl: string
  readonly audience: string
  /** The clients (claim azp) whose tokens are taken. */
  readonly clients?: readonly string[]
  readonly fetch?: typeof fetch
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** How many verified tokens are remembered. */
  readonly capacity?: number
}

export interface Tokens {
  /** The public key (PEM) that must have signed the token; throws token_invalid or identity_unavailable. */
  keyFor(header: { kid?: string; alg?: string }): Promise<string>
  /** What `set` was told of this very token, until it expires or any key is withdrawn. */
  get(token: string): Identity | undefined
  /** How often keys have been withdrawn so far. */
  withdrawals(): number
  /** Remembers a token whose signature and times were verified, unless a key was withdrawn since there were `withdrawals`. */
  set(token: string, identity: Identity, withdrawals: number): void
  /** Reads verified claims; throws token_invalid when they are not those of an access token for us. */
  toIdentity(claims: Record<string, unknown>): Identity
  /** False while the last attempt to read Keycloak's keys has failed. */
  healthy(): boolean
}

/** Keys, memory and meaning of Keycloak's access tokens; checking signature and times is @fastify/jwt's part. */
export function createTokens(options: TokensOptions): Tokens {
  const { now, capacity = 10_000 } = options
  const known = new Map<string, Identity>()
  let withdrawn = 0
  const onWithdrawn = () => {
    withdrawn += 1
    known.clear()
  }
  const keys = createKeys({ ...options, onWithdrawn })
  return {
    keyFor: keys.keyFor,
    healthy: keys.healthy,
    toIdentity: (claims) => readClaims(claims, options),
    get(token) {
      keys.refreshWhenOld()
      const key = digest(token)
      const identity = known.get(key)
      if (!identity || identity.expiresAt * 1000 > now()) return identity
      known.delete(key)
      return undefined
    },
    withdrawals: () => withdrawn,
    set(token, identity, withdrawals) {
      if (withdrawals !== withdrawn) return
      // The oldest goes first: access tokens live equally long, so it is the next to expire.
      if (known.size >= capacity) known.delete(known.keys().next().value!)
      known.set(digest(token), identity)
    },
  }
}

/** A digest as key: equal only for equal tokens, and memory holds nothing that could be sent again. */
function digest(token: string): string {
  return hash('sha256', token, 'base64')
}

const ourClients: readonly string[] = ['enginex-console', 'enginex-cli']

function readClaims(
  claims: Record<string, unknown>,
  { issuer, audience, clients = ourClients }: TokensOptions,
): Identity {
  const { sub, iat, exp, azp, typ, iss, aud } = claims
  // ID, refresh and logout tokens carry valid signatures as well; none of them is a right to call us.
  if (typ !== 'Bearer' || iss !== issuer || !textsOf(aud).includes(audience)) throw refused()
  if (typeof azp !== 'string' || !clients.includes(azp)) throw refused()
  if (typeof sub !== 'string' || !sub || typeof iat !== 'number' || typeof exp !== 'number') throw refused()
  return {
    userId: sub,
    issuedAt: iat,
    expiresAt: exp,
    clientId: azp,
    serviceAccount: claims.preferred_username === `service-account-${azp}`,
    email: textOrNull(claims.email),
    emailVerified: claims.email_verified === true,
    name: textOrNull(claims.name),
    platformAdmin: textsOf(fieldsOf(claims.realm_access).roles).includes('platform-admin'),
    organizations: Object.entries(fieldsOf(claims.organization)).map(([alias, entry]) => ({
      alias,
      id: textOrNull(fieldsOf(entry).id),
      roles: textsOf(fieldsOf(fieldsOf(fieldsOf(entry).resource_access)[audience]).roles),
    })),
  }
}

function refused(): AppError {
  return new AppError('token_invalid', 'this token is not an access token for EngineX')
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}

function textsOf(value: unknown): string[] {
  return (Array.isArray(value) ? value : [value]).filter((one) => typeof one === 'string')
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' && value ? value : null
}
