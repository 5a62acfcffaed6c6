import { exportSPKI, importJWK, type JWK } from 'jose'
import { AppError } from '../errors.ts'

const refreshEveryMs = 5 * 60_000
const retryAfterMs = 10_000
const timeoutMs = 5_000

export interface KeysOptions {
  readonly jwksUrl: string
  readonly fetch?: typeof fetch
  readonly now: () => number
  /** Called when a key that was known is no longer published, or is another one now. */
  readonly onWithdrawn: () => void
}

export interface Keys {
  /** The key that the header names, as PEM; throws token_invalid, or identity_unavailable while it cannot be known. */
  keyFor(header: { kid?: string; alg?: string }): Promise<string>
  /** Starts reading the keys anew when they are five minutes old; does not wait. */
  refreshWhenOld(): void
  healthy(): boolean
}

/**
 * Keycloak's signing keys. An unknown key id makes us look, but never more often than every ten seconds, however many
 * ask; while Keycloak is down, the keys read last stay good.
 */
export function createKeys({ jwksUrl, fetch: get = fetch, now, onWithdrawn }: KeysOptions): Keys {
  let keys: ReadonlyMap<string, string> = new Map()
  let readAt = Number.NEGATIVE_INFINITY
  let triedAt = Number.NEGATIVE_INFINITY
  let failure: unknown
  let reading: Promise<void> | undefined

  async function read() {
    try {
      const fresh = await readKeys(get, jwksUrl)
      const withdrawn = [...keys].some(([kid, pem]) => fresh.get(kid) !== pem)
      keys = fresh
      readAt = now()
      failure = undefined
      if (withdrawn) onWithdrawn()
    } catch (error) {
      failure = error
    } finally {
      reading = undefined
    }
  }

  /** Everybody who asks meanwhile waits for the same answer. */
  function refresh(): Promise<void> {
    if (!reading && now() - triedAt >= retryAfterMs) {
      triedAt = now()
      reading = read()
    }
    return reading ?? Promise.resolve()
  }

  function refreshWhenOld() {
    if (now() - readAt >= refreshEveryMs) void refresh()
  }

  return {
    refreshWhenOld,
    healthy() {
      refreshWhenOld()
      return failure === undefined
    },
    async keyFor({ kid, alg }) {
      if (alg !== 'RS256' || !kid) throw new AppError('token_invalid', 'this token is not signed as EngineX expects')
      refreshWhenOld()
      if (!keys.has(kid)) await refresh()
      const key = keys.get(kid)
      if (key) return key
      if (failure)
        throw new AppError('identity_unavailable', 'the identity provider does not answer; try again', {
          cause: failure,
        })
      throw new AppError('token_invalid', 'this token is signed with an unknown key')
    },
  }
}

async function readKeys(get: typeof fetch, jwksUrl: string): Promise<Map<string, string>> {
  const answer = await get(jwksUrl, { signal: AbortSignal.timeout(timeoutMs), redirect: 'error' })
  if (!answer.ok) throw new Error(`${jwksUrl} answered ${answer.status}`)
  const { keys } = (await answer.json()) as { keys: JWK[] }
  const pems = new Map<string, string>()
  for (const jwk of keys) {
    if (jwk.use !== 'sig' || jwk.alg !== 'RS256' || !jwk.kid) continue
    const key = await importJWK(jwk, 'RS256')
    if (!(key instanceof Uint8Array)) pems.set(jwk.kid, await exportSPKI(key))
  }
  // A key set without keys is a fault, not news: taking it would sign everybody out.
  if (pems.size === 0) throw new Error(`${jwksUrl} holds no key for RS256`)
  return pems
}
