import { AppError } from '../errors.ts'
import { type HttpAnswer, readHttpAnswer } from './http-answer.ts'
import { hasPlaceholder, type Secrets } from './secrets.ts'

/** A request with placeholders in the values of `query`, `headers` and `body`. Never in its address. */
export interface HttpRequest {
  readonly method: string
  readonly url: string
  readonly query: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string>>
  /** Undefined for none; a text is sent as it is, anything else as JSON. */
  readonly body: unknown
}

export interface Sending {
  /** Guarded; see http.ts. */
  readonly fetch: typeof fetch
  readonly secrets: Secrets
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

const maxRedirects = 5
const maxBytes = 1024 * 1024
/** The connection's own, or those of another protocol on top. */
const reserved =
  /^(connection|content-length|expect|host|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|sec-.*)$/i
/** What is not for another place than the one that it was given for, secret or not. */
const personal = /^(authorization|cookie2?)$/i

/** One request on its way from place to place; its secrets are filled in anew for each. */
interface Hop {
  readonly url: URL
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: unknown
}

/**
 * Sends a request and follows redirects. Secrets leave for hosts that their credential allows, and never to another
 * place than the first one; none of them is in what comes back. Throws input_invalid, egress_refused, credential_missing
 * or an `http_` code, in words without secrets.
 */
export async function sendRequest(request: HttpRequest, sending: Sending): Promise<HttpAnswer> {
  const { fetch, secrets, signal, timeoutMs } = sending
  const timeout = AbortSignal.timeout(timeoutMs)
  const both = AbortSignal.any([signal, timeout])
  let hop = firstHop(request, secrets)
  try {
    for (let redirects = 0; ; redirects += 1) {
      const answer = await fetch(hop.url, { ...filled(hop, secrets), redirect: 'manual', signal: both })
      const location = answer.headers.get('location')
      if (!location || ![301, 302, 303, 307, 308].includes(answer.status)) {
        return await readHttpAnswer(answer, hop.url.host, secrets.mask)
      }
      await answer.body?.cancel()
      if (redirects === maxRedirects) throw new AppError('http_bad_answer', `${hop.url.host} redirects without end`)
      hop = nextHop(hop, answer.status, location, secrets)
    }
  } catch (error) {
    if (signal.aborted || error instanceof AppError) throw error
    if (timeout.aborted)
      throw new AppError('http_timeout', `${hop.url.host} did not answer within ${timeoutMs / 1000} s`)
    throw unreachable(hop.url, error)
  }
}

function firstHop({ method, url: text, query, headers, body }: HttpRequest, secrets: Secrets): Hop {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !/^https?:$/.test(url.protocol))
    throw new AppError('input_invalid', 'url must be an http or https address')
  if (hasPlaceholder(decoded(text))) {
    throw new AppError('input_invalid', 'url must not hold a placeholder: write it as a value of query or headers')
  }
  if (url.username || url.password) throw new AppError('input_invalid', 'url must not hold a user or a password')
  for (const name of Object.keys(headers)) {
    if (reserved.test(name)) throw new AppError('input_invalid', `the header ${name} is the connection's own`)
  }
  if (body !== undefined && (method === 'GET' || method === 'HEAD')) {
    throw new AppError('input_invalid', `a ${method} request has no body`)
  }
  for (const [name, value] of Object.entries(query)) url.searchParams.append(name, secrets.fill(value, url))
  url.hash = ''
  return { url, method, headers, body }
}

function nextHop(hop: Hop, status: number, location: string, secrets: Secrets): Hop {
  const url = URL.canParse(location, hop.url) ? new URL(location, hop.url) : undefined
  if (!url || !/^https?:$/.test(url.protocol)) {
    throw new AppError('egress_refused', `${hop.url.host} leads to something that is no http or https address`)
  }
  const becomesGet = status === 303 || (status <= 302 && hop.method === 'POST')
  const next = becomesGet
    ? { method: hop.method === 'HEAD' ? 'HEAD' : 'GET', body: undefined, headers: without(hop.headers, /^content-/i) }
    : hop
  if (url.origin === hop.url.origin) return { ...next, url }
  const spellings = [location, url.href, decoded(url.href)]
  if (spellings.some((text) => secrets.mask(text) !== text) || hasPlaceholder(textOf(next.body))) {
    throw new AppError(
      'egress_refused',
      `${hop.url.host} leads to ${url.host}, where a secret of this request may not go`,
    )
  }
  const headers = Object.fromEntries(
    Object.entries(without(next.headers, personal)).filter(([, value]) => !hasPlaceholder(value)),
  )
  return { ...next, headers, url }
}

function filled({ url, method, headers: given, body }: Hop, secrets: Secrets) {
  const headers = new Headers()
  for (const [name, value] of Object.entries(given)) headers.set(name, headerValue(name, secrets.fill(value, url)))
  if (body === undefined) return { method, headers: Object.fromEntries(headers) }
  const text = typeof body === 'string' ? secrets.fill(body, url) : JSON.stringify(fillAll(body, url, secrets))
  if (Buffer.byteLength(text) > maxBytes) throw new AppError('payload_too_large', 'the body is larger than 1 MB')
  if (!headers.has('content-type')) {
    headers.set('content-type', typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/json')
  }
  return { method, headers: Object.fromEntries(headers), body: text }
}

/** Checked here: the library's own complaint would quote the value. */
function headerValue(name: string, value: string): string {
  if (!/^[\x21\x23-\x27*+.^_`|~0-9A-Za-z-]+$/.test(name)) {
    throw new AppError('input_invalid', `${JSON.stringify(name)} is not the name of a header`)
  }
  if (/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) return value
  throw new AppError('input_invalid', `the header ${name} holds a character that a header cannot hold`)
}

function fillAll(value: unknown, url: URL, secrets: Secrets): unknown {
  if (typeof value === 'string') return secrets.fill(value, url)
  if (Array.isArray(value)) return value.map((one) => fillAll(one, url, secrets))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, fillAll(one, url, secrets)]))
}

function textOf(body: unknown): string {
  return typeof body === 'string' ? body : (JSON.stringify(body) ?? '')
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function without(headers: Readonly<Record<string, string>>, names: RegExp): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !names.test(name)))
}

function unreachable({ host }: URL, error: unknown): AppError {
  const { code } = ((error as { cause?: unknown }).cause ?? error) as { code?: unknown }
  const why = typeof code === 'string' && /^[A-Z0-9_]{1,50}$/.test(code) ? ` (${code})` : ''
  return new AppError('http_unreachable', `${host} cannot be reached${why}`)
}
