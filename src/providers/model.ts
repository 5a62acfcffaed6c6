import { readAnswer } from './model-answer.ts'
import { connect, optionsOf } from './model-client.ts'
import { describe, type FailureCode } from './model-failures.ts'
import { createKeyMask } from './model-key.ts'

export type ModelProvider = 'openai' | 'anthropic' | 'openai_compatible'

export type ModelMessage =
  | { readonly role: 'system' | 'user'; readonly content: string }
  | { readonly role: 'assistant'; readonly content: string; readonly toolCalls: readonly ModelToolCall[] }
  | { readonly role: 'tool'; readonly toolCallId: string; readonly name: string; readonly content: string }

export interface ModelToolCall {
  readonly id: string
  readonly name: string
  readonly arguments: unknown
}

export interface ModelRequest {
  readonly provider: ModelProvider
  /** Such as `https://models.example/v1`; the provider's own when left out. A compatible server has none. */
  readonly baseUrl?: string | undefined
  readonly apiKey?: string | undefined
  readonly model: string
  readonly messages: readonly ModelMessage[]
  readonly tools: readonly { readonly name: string; readonly description: string; readonly inputSchema: object }[]
  /** JSON Schema of the answer, for the provider to hold the model to. */
  readonly output?: object | undefined
  readonly maxTokens: number
  /** The provider's own when null. */
  readonly temperature: number | null
  /** From the request to the end of the answer. */
  readonly timeoutMs: number
  /** Equal for requests of which only one is to count. */
  readonly idempotencyKey?: string | undefined
}

export interface ModelAnswer {
  readonly ok: true
  readonly text: string
  readonly toolCalls: readonly ModelToolCall[]
  readonly usage: { readonly inputTokens: number; readonly outputTokens: number }
  /** `stop`, `length`, `tool-calls`, `content-filter` or `other`. */
  readonly finishReason: string
}

export interface ModelFailure {
  readonly ok: false
  readonly error: { readonly code: FailureCode; readonly message: string }
  /** How long the server wants to be left alone. */
  readonly retryAfterMs?: number
}

export interface ModelIo {
  readonly fetch: typeof fetch
  readonly signal?: AbortSignal
  /** Called with the text piece by piece, as it comes. */
  readonly onDelta?: (text: string) => void
}

/** Of all that an answer brings, thoughts and arguments of tools included. */
export const maxAnswerCharacters = 1_000_000

/**
 * Asks the model once, without retries: those are the caller's. Whatever the server does comes back as a result, within
 * the time and size that were given, and nothing of it holds the key; rejects only when `signal` is aborted.
 */
export async function callModel(request: ModelRequest, io: ModelIo): Promise<ModelAnswer | ModelFailure> {
  const deadline = AbortSignal.timeout(request.timeoutMs)
  const over = new AbortController()
  const key = createKeyMask(request.apiKey)
  try {
    const model = await connect(request, withoutRedirects(io.fetch))
    const signal = AbortSignal.any([deadline, over.signal, ...(io.signal ? [io.signal] : [])])
    const { stream } = await model.doStream({ ...optionsOf(request), abortSignal: signal })
    return await readAnswer(stream, key, io.onDelta)
  } catch (error) {
    io.signal?.throwIfAborted()
    if (deadline.aborted) {
      return failed('model_timeout', `the model did not answer within ${request.timeoutMs} ms`)
    }
    const { code, message, retryAfterMs } = describe(error)
    const failure = failed(code, key.mask(message).slice(0, 500))
    return retryAfterMs === undefined ? failure : { ...failure, retryAfterMs }
  } finally {
    over.abort() // whatever still comes is not wanted
  }
}

/** A redirect is an answer like any other: the key goes to the address that was saved, and to no other. */
function withoutRedirects(given: typeof fetch): typeof fetch {
  return (input, init) => given(input, { ...init, redirect: 'manual' })
}

function failed(code: FailureCode, message: string): ModelFailure {
  return { ok: false, error: { code, message } }
}
