import { type Grant, leaveToSignIn, requestGrant, type SignInSettings, scopeFor } from './keycloak.ts'

/** The person must sign in again. */
export class SignInEnded extends Error {}

/** Keycloak gives no token for this organization: the person is not a member (any more). */
export class NotMember extends Error {}

export interface SignIn {
  /** A token for the organization, or for the person alone (null). Throws SignInEnded, NotMember, IdentityUnavailable. */
  token(alias: string | null): Promise<string>
  /** A newer token than the one that was refused. */
  renewed(alias: string | null, refused: string): Promise<string>
  /** Drops the organization's token. */
  forget(alias: string): void
  /** Leaves the page for Keycloak and comes back to it. */
  signIn(action?: string): Promise<never>
  signOut(redirectTo: string): Promise<void>
  /** Calls back once the sign-in has ended. @returns how to stop */
  onEnded(listener: () => void): () => void
}

/** A token that ends sooner is renewed first. */
const leastLifeMs = 30_000

/** Starts with what the sign-in gave. Every token comes from an authorization request of its own, one at a time. */
export function createSignIn(settings: SignInSettings, first: Grant): SignIn {
  const grants = new Map<string | null, Grant>([[null, first]])
  const pending = new Map<string | null, Promise<Grant>>()
  const listeners = new Set<() => void>()
  let latest = first
  let queue: Promise<unknown> = Promise.resolve()

  const ask = async (alias: string | null): Promise<Grant> => {
    const grant = await requestGrant(settings, scopeFor(alias))
    if (!grant) {
      for (const listener of listeners) listener()
      throw new SignInEnded('your sign-in has ended')
    }
    latest = grant
    if (alias !== null && !grant.organizations.includes(alias)) throw new NotMember(`you are not a member of ${alias}`)
    grants.set(alias, grant)
    return grant
  }
  const renew = (alias: string | null): Promise<Grant> => {
    const running = pending.get(alias)
    if (running) return running
    const asked = queue.then(() => ask(alias)).finally(() => pending.delete(alias))
    queue = asked.catch(() => {})
    pending.set(alias, asked)
    return asked
  }
  const isFresh = (grant: Grant | undefined): grant is Grant =>
    grant !== undefined && grant.expiresAt - performance.now() > leastLifeMs

  return {
    async token(alias) {
      const grant = grants.get(alias)
      return (isFresh(grant) ? grant : await renew(alias)).token
    },
    async renewed(alias, refused) {
      const grant = grants.get(alias)
      return (isFresh(grant) && grant.token !== refused ? grant : await renew(alias)).token
    },
    forget: (alias) => void grants.delete(alias),
    signIn: (action) => leaveToSignIn(settings, action),
    // By a form, so that no token stands in an address.
    signOut: (redirectTo) =>
      latest.keycloak.logout({ redirectUri: `${location.origin}${redirectTo}`, logoutMethod: 'POST' }),
    onEnded(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}
