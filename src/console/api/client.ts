import type { SignIn } from '../sign-in/sign-in.ts'
import { type Problem, problemOf, unreachable } from './problem.ts'

export type Query = Readonly<Record<string, string | number | undefined>>

export interface Api {
  get<T>(path: string, query?: Query, signal?: AbortSignal): Promise<T>
  post<T>(path: string, body?: unknown): Promise<T>
  /** Sends a form; progress goes from 0 to 1. */
  upload<T>(path: string, form: FormData, onProgress: (share: number) => void): Promise<T>
  download(path: string): Promise<Blob>
  /** The answer's body as it comes, for streams. */
  open(path: string, headers: Record<string, string>, signal: AbortSignal): Promise<ReadableStream<Uint8Array>>
}

interface Answer<T> {
  readonly status: number
  readonly read: () => Promise<T>
  readonly problem: () => Promise<Problem>
}

/** A token can be refused although it is new, for as long as the clocks' last second lasts. */
const staleWaitMs = 1500

/** Calls the API with tokens for one organization, or for the person alone (null). Throws Problem. */
export function createApi(signIn: SignIn, alias: string | null): Api {
  /** A refused token is renewed once; one that is still stale, once more a moment later. */
  async function withToken<T>(attempt: (token: string) => Promise<Answer<T>>): Promise<T> {
    let token = await signIn.token(alias)
    for (let round = 0; ; round++) {
      const answer = await attempt(token)
      if (answer.status < 400) return await answer.read()
      const problem = await answer.problem()
      if (answer.status !== 401 || round === 2) throw problem
      if (round === 1) await new Promise((resolve) => setTimeout(resolve, staleWaitMs))
      token = await signIn.renewed(alias, token)
    }
  }

  const send = <T>(path: string, init: RequestInit, read: (response: Response) => Promise<T>): Promise<T> =>
    withToken(async (token) => {
      const headers = { ...(init.headers as Record<string, string>), authorization: `Bearer ${token}` }
      const response = await reach(fetch(path, { ...init, headers, cache: 'no-store' }))
      return {
        status: response.status,
        read: () => read(response),
        problem: async () => problemOf(response.status, await response.text()),
      }
    })

  return {
    get: <T>(path: string, query: Query = {}, signal?: AbortSignal) =>
      send(withQuery(path, query), signal ? { signal } : {}, readJson<T>),
    post: <T>(path: string, body?: unknown) => {
      const json = { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
      return send(path, { method: 'POST', ...(body === undefined ? {} : json) }, readJson<T>)
    },
    upload: (path, form, onProgress) => withToken((token) => sendForm(path, form, token, onProgress)),
    download: (path) => send(path, {}, (response) => response.blob()),
    open: (path, headers, signal) => send(path, { headers, signal }, async (response) => response.body!),
  }
}

async function readJson<T>(response: Response): Promise<T> {
  return (await response.json()) as T
}

function withQuery(path: string, query: Query): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value))
  return search.size > 0 ? `${path}?${search}` : path
}

async function reach(answering: Promise<Response>): Promise<Response> {
  try {
    return await answering
  } catch (error) {
    if (error instanceof TypeError) throw unreachable()
    throw error
  }
}

/** fetch tells nothing of an upload's progress; XMLHttpRequest does. */
function sendForm<T>(
  path: string,
  form: FormData,
  token: string,
  onProgress: (share: number) => void,
): Promise<Answer<T>> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer<T>>()
  const request = new XMLHttpRequest()
  request.upload.onprogress = ({ loaded, total }) => onProgress(total > 0 ? loaded / total : 0)
  request.onload = () =>
    resolve({
      status: request.status,
      read: async () => JSON.parse(request.responseText) as T,
      problem: async () => problemOf(request.status, request.responseText),
    })
  request.onerror = () => reject(unreachable())
  request.open('POST', path)
  request.setRequestHeader('authorization', `Bearer ${token}`)
  request.send(form)
  return promise
}
