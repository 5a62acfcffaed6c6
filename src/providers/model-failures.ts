import { AppError } from '../errors.ts'
import { BadAnswer } from './model-answer.ts'

export type FailureCode =
  | 'model_unauthorized'
  | 'model_unknown'
  | 'model_rate_limited'
  | 'model_unavailable'
  | 'model_timeout'
  | 'model_refused'
  | 'model_bad_answer'
  | 'egress_refused'

interface Described {
  readonly code: FailureCode
  readonly message: string
  readonly retryAfterMs?: number
}

/** As the client libraries throw it; `error` events in the middle of a stream are plain objects. */
interface Thrown {
  readonly message?: unknown
  readonly type?: unknown
  readonly code?: unknown
  readonly statusCode?: unknown
  readonly responseHeaders?: Record<string, string | undefined>
  readonly cause?: unknown
}

const strange = {
  code: 'model_bad_answer',
  message: 'the model server does not answer in the way of its provider',
} as const

/** Put into our words: what a server says about a failure may repeat what it was sent. */
export function describe(error: unknown): Described {
  const chain = causes(error)
  const refusal = chain.find((one) => one instanceof AppError)
  if (refusal) return { code: 'egress_refused', message: refusal.message }
  if (error instanceof BadAnswer) {
    return { code: 'model_bad_answer', message: `the model's answer cannot be used: ${error.message}` }
  }
  // With a status of success something went wrong behind it, which is among the causes.
  const answered = chain.find(({ statusCode }) => typeof statusCode === 'number' && statusCode >= 300)
  if (answered) {
    const described = ofStatus(answered.statusCode as number, String(chain[0]?.message ?? ''))
    const retryAfterMs = waitOf(answered.responseHeaders ?? {})
    return retryAfterMs === undefined ? described : { ...described, retryAfterMs }
  }
  if (!(error instanceof Error)) return ofEvent(error as Thrown)
  const reason = chain.map(({ code }) => code).find((code) => typeof code === 'string')
  const lost = chain.some(({ message }) => /fetch failed|^Cannot connect|^terminated/.test(String(message)))
  if (reason ?? lost) {
    return { code: 'model_unavailable', message: `the model server cannot be reached${reason ? ` (${reason})` : ''}` }
  }
  return strange
}

function ofStatus(status: number, said: string): Described {
  if (status === 401 || status === 403)
    return { code: 'model_unauthorized', message: `the model server refuses the key (${status})` }
  if (status === 404)
    return { code: 'model_unknown', message: 'the model server does not know this model or address (404)' }
  if (status === 429) return { code: 'model_rate_limited', message: 'the model server asks to slow down (429)' }
  if (status === 408) return { code: 'model_timeout', message: 'the model server gave up waiting (408)' }
  if (status >= 500) return { code: 'model_unavailable', message: `the model server failed (${status})` }
  if (status >= 400)
    return { code: 'model_refused', message: `the model server refused the request (${status}): ${said}` }
  const message = `the model server redirects to another address (${status}): save that one, keys do not follow`
  return { code: 'model_unknown', message }
}

/** An error that a server sends in the middle of its answer. */
function ofEvent(error: Thrown | undefined): Described {
  const kind = `${error?.type} ${error?.code}`
  if (/rate_limit/.test(kind)) return ofStatus(429, '')
  if (/authentication|permission/.test(kind)) return ofStatus(401, '')
  if (/invalid_request/.test(kind)) return ofStatus(400, String(error?.message))
  return { code: 'model_unavailable', message: 'the model server broke off its answer with an error' }
}

/** Retry-After in seconds or as a date, counted from the server's own clock; milliseconds where they are given. */
function waitOf(headers: Record<string, string | undefined>): number | undefined {
  const exact = Number(headers['retry-after-ms'] ?? Number.NaN)
  if (exact >= 0) return exact
  const given = headers['retry-after']
  if (!given) return undefined
  if (/^\d+$/.test(given)) return Number(given) * 1000
  if (!/^[A-Z][a-z]{2}, /.test(given)) return undefined
  const wait = Date.parse(given) - Date.parse(headers['date'] ?? '')
  return Number.isFinite(wait) ? Math.max(wait, 0) : undefined
}

function causes(error: unknown): Thrown[] {
  return error instanceof Error ? [error, ...causes(error.cause)] : []
}
