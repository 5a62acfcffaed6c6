import { AppError } from '../errors.ts'

export interface AdminApiOptions {
  /** Base address of Keycloak, without a slash at its end. */
  readonly url: string
  readonly realm: string
  readonly clientId: string
  readonly clientSecret: string
  readonly fetch?: typeof fetch
  /** Milliseconds since 1970. */
  readonly now?: () => number
}

export interface Answer<T> {
  readonly status: number
  readonly body: T
  /** Id of what was made, from the Location header. */
  readonly createdId: string | null
  /** Keycloak's clock. */
  readonly date: Date
}

export interface AdminApi {
  /**
   * One request below /admin/realms/<realm>, as the service account. Only the statuses named in `expected` (or 2xx) come
   * back; throws identity_unavailable when Keycloak does not answer or fails.
   */
  call<T>(method: string, path: string, body?: unknown, expected?: readonly number[]): Promise<Answer<T>>
}

const timeoutMs = 10_000

/**
 * Keycloak's admin API over fetch. The npm client of Keycloak hides the Date header and knows no groups of a member,
 * both of which are needed here.
 */
export function createAdminApi(options: AdminApiOptions): AdminApi {
  const { url, realm, fetch: send = fetch, now = Date.now } = options
  let token: Promise<{ value: string; renewAt: number }> | undefined

  const request = (address: string, init: RequestInit) => ask(send, address, init)

  async function accessToken(): Promise<string> {
    token ??= signIn(options, request, now)
    try {
      const { value, renewAt } = await token
      if (now() < renewAt) return value
    } catch (error) {
      token = undefined
      throw error
    }
    token = signIn(options, request, now)
    return (await token).value
  }

  return {
    async call<T>(method: string, path: string, body?: unknown, expected: readonly number[] = []) {
      const attempt = async () =>
        await request(`${url}/admin/realms/${realm}${path}`, {
          method,
          headers: { authorization: `Bearer ${await accessToken()}`, 'content-type': 'application/json' },
          body: body === undefined ? undefined : JSON.stringify(body),
        })
      let answer = await attempt()
      if (answer.status === 401) {
        // Keycloak has forgotten the token (restart, new keys): one new one.
        token = undefined
        answer = await attempt()
      }
      const text = await answer.text()
      if (!answer.ok && !expected.includes(answer.status)) {
        throw new Error(`Keycloak answered ${answer.status} to ${method} ${path}: ${text.slice(0, 200)}`)
      }
      return {
        status: answer.status,
        body: (text ? JSON.parse(text) : undefined) as T,
        createdId: answer.headers.get('location')?.split('/').at(-1) ?? null,
        date: new Date(answer.headers.get('date') ?? now()),
      }
    },
  }
}

async function ask(send: typeof fetch, address: string, init: RequestInit): Promise<Response> {
  try {
    const answer = await send(address, { ...init, redirect: 'error', signal: AbortSignal.timeout(timeoutMs) })
    if (answer.status < 500) return answer
    await answer.arrayBuffer()
    throw new Error(`${address} answered ${answer.status}`)
  } catch (cause) {
    throw new AppError('identity_unavailable', 'the identity provider does not answer; try again', { cause })
  }
}

/** A token of the service account, to be renewed half a minute before its end. */
async function signIn(
  { url, realm, clientId, clientSecret }: AdminApiOptions,
  request: (address: string, init: RequestInit) => Promise<Response>,
  now: () => number,
) {
  const body = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: clientId,
    client_secret: clientSecret,
  })
  const answer = await request(`${url}/realms/${realm}/protocol/openid-connect/token`, { method: 'POST', body })
  const { access_token, expires_in } = (await answer.json()) as { access_token?: string; expires_in: number }
  if (!access_token) throw new Error(`Keycloak refuses the client ${clientId} (${answer.status}): is its secret right?`)
  return { value: access_token, renewAt: now() + (expires_in - 30) * 1000 }
}
