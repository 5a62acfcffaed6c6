import { CliError, exitCodes, failureOf } from './failure.ts'
import type { Session } from './session.ts'

export interface CallOptions {
  readonly query?: Readonly<Record<string, string | number | undefined>>
  readonly json?: unknown
  readonly form?: FormData
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

export interface Api {
  /** The JSON of a successful answer. Throws CliError with the API's own words otherwise. */
  call<T>(method: string, path: string, options?: CallOptions): Promise<T>
  /** The answer itself, for downloads and streams. */
  send(method: string, path: string, options?: CallOptions): Promise<Response>
  /** Items of a list, page after page, at most `most`. */
  list<T>(path: string, most: number, query?: CallOptions['query']): AsyncGenerator<T>
}

/** Talks to the API in the session's name. A token that is refused is renewed once. */
export function createApi(session: Session): Api {
  const send = async (method: string, path: string, options: CallOptions = {}) => {
    const url = new URL(`${await session.url()}/v1${path}`)
    for (const [name, value] of Object.entries(options.query ?? {})) {
      if (value !== undefined) url.searchParams.set(name, String(value))
    }
    let answer = await request(url, method, await session.token(), options)
    if (answer.status === 401) answer = await request(url, method, await session.renewedToken(), options)
    if (answer.ok) return answer
    throw failureOf(answer.status, await answer.json().catch(() => null))
  }
  const call = async <T>(method: string, path: string, options?: CallOptions): Promise<T> => {
    const answer = await send(method, path, options)
    return (await answer.json()) as T
  }
  return {
    send,
    call,
    async *list<T>(path: string, most: number, query: CallOptions['query'] = {}) {
      let left = most
      for (let cursor: string | null | undefined; cursor !== null && left > 0; ) {
        const limit = left > 50 ? 100 : left > 20 ? 50 : 20
        const page: { items: T[]; nextCursor?: string | null } = await call('GET', path, {
          query: { ...query, limit, cursor: cursor ?? undefined },
        })
        yield* page.items.slice(0, left)
        left -= page.items.length
        cursor = page.nextCursor ?? null
      }
    },
  }
}

async function request(url: URL, method: string, token: string, options: CallOptions): Promise<Response> {
  const { json, form, headers, signal } = options
  const body = form ?? (json === undefined ? undefined : JSON.stringify(json))
  try {
    return await fetch(url, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body }),
      ...(signal ? { signal } : {}),
    })
  } catch (error) {
    signal?.throwIfAborted()
    const { cause, message } = error as Error
    const reason = cause instanceof Error ? cause.message : message
    throw new CliError(exitCodes.failed, 'unreachable', `${url.origin} cannot be reached: ${reason}`)
  }
}
