import type { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { AppError } from '../errors.ts'

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
  /** Of an OpenAI-compatible server, such as `https://models.example/v1`. */
  readonly baseUrl: string
  readonly apiKey?: string | undefined
  readonly model: string
  readonly messages: readonly ModelMessage[]
  readonly tools: readonly { readonly name: string; readonly description: string; readonly inputSchema: object }[]
  readonly maxTokens: number
  readonly temperature: number
  readonly timeoutMs: number
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
  readonly error: {
    readonly code:
      | 'model_unauthorized'
      | 'model_unknown'
      | 'model_rate_limited'
      | 'model_unavailable'
      | 'model_timeout'
      | 'model_refused'
      | 'model_bad_answer'
      | 'egress_refused'
    readonly message: string
  }
}

type Code = ModelFailure['error']['code']
type LanguageModel = ReturnType<ReturnType<typeof createOpenAICompatible>['chatModel']>
type CallOptions = Parameters<LanguageModel['doGenerate']>[0]
type Answered = Pick<Awaited<ReturnType<LanguageModel['doGenerate']>>, 'content' | 'usage' | 'finishReason'>

/**
 * Asks the model once, without retries: those are the caller's. Whatever the server does comes back as a result whose
 * message never holds the key; rejects only when `signal` is aborted. With `onDelta` the text arrives piece by piece.
 */
export async function callModel(
  request: ModelRequest,
  io: { fetch: typeof fetch; signal?: AbortSignal; onDelta?: (text: string) => void },
): Promise<ModelAnswer | ModelFailure> {
  const deadline = AbortSignal.timeout(request.timeoutMs)
  try {
    const model = await connect(request, io.fetch)
    const options: CallOptions = {
      prompt: request.messages.map(toPrompt),
      tools: request.tools.map((tool) => ({ type: 'function', ...tool })),
      maxOutputTokens: request.maxTokens,
      temperature: request.temperature,
      abortSignal: AbortSignal.any([deadline, ...(io.signal ? [io.signal] : [])]),
    }
    return toAnswer(io.onDelta ? await stream(model, options, io.onDelta) : await model.doGenerate(options))
  } catch (error) {
    io.signal?.throwIfAborted()
    if (deadline.aborted) return failed('model_timeout', `the model did not answer within ${request.timeoutMs} ms`)
    const { code, message } = describe(error)
    const masked = request.apiKey ? message.replaceAll(request.apiKey, '***') : message
    return failed(code, masked.slice(0, 500))
  }
}

/** The library is loaded by the first call: a process that asks no model does without its memory. */
async function connect({ baseUrl, apiKey, model }: ModelRequest, guardedFetch: typeof fetch): Promise<LanguageModel> {
  const { createOpenAICompatible } = await import('@ai-sdk/openai-compatible')
  const provider = createOpenAICompatible({
    name: 'model',
    baseURL: baseUrl,
    fetch: guardedFetch,
    includeUsage: true,
    ...(apiKey ? { apiKey } : {}),
  })
  return provider.chatModel(model)
}

function toPrompt(message: ModelMessage): CallOptions['prompt'][number] {
  const { role, content } = message
  if (role === 'system') return { role, content }
  if ('toolCallId' in message) {
    const { toolCallId, name: toolName } = message
    return {
      role: 'tool',
      content: [{ type: 'tool-result', toolCallId, toolName, output: { type: 'text', value: content } }],
    }
  }
  const text = content === '' ? [] : [{ type: 'text' as const, text: content }]
  if (!('toolCalls' in message)) return { role: 'user', content: text }
  const calls = message.toolCalls.map(({ id, name, arguments: input }) => {
    return { type: 'tool-call' as const, toolCallId: id, toolName: name, input }
  })
  return { role: 'assistant', content: [...text, ...calls] }
}

async function stream(model: LanguageModel, options: CallOptions, onDelta: (text: string) => void): Promise<Answered> {
  const content: Answered['content'] = []
  let end: Omit<Answered, 'content'> | undefined
  for await (const part of (await model.doStream(options)).stream) {
    if (part.type === 'error') throw part.error
    if (part.type === 'finish') end = part
    if (part.type === 'tool-call') content.push(part)
    if (part.type === 'text-delta') {
      content.push({ type: 'text', text: part.delta })
      onDelta(part.delta)
    }
  }
  if (!end) throw new BadAnswer('its answer breaks off')
  return { ...end, content }
}

function toAnswer({ content, usage, finishReason }: Answered): ModelAnswer {
  if (finishReason.unified === 'error') throw new BadAnswer('it ended its answer with an error')
  return {
    ok: true,
    text: content.map((part) => (part.type === 'text' ? part.text : '')).join(''),
    toolCalls: content.flatMap((part) => (part.type === 'tool-call' ? [toToolCall(part)] : [])),
    usage: { inputTokens: usage.inputTokens.total ?? 0, outputTokens: usage.outputTokens.total ?? 0 },
    finishReason: finishReason.unified,
  }
}

function toToolCall(part: { toolCallId: string; toolName: string; input: string }): ModelToolCall {
  try {
    const parsed = JSON.parse(part.input.trim() || '{}', (key, value) => {
      if (key === '__proto__') throw new Error('a key that is not allowed')
      return value
    })
    return { id: part.toolCallId, name: part.toolName, arguments: parsed }
  } catch {
    throw new BadAnswer(`it called ${part.toolName} with arguments that are not JSON`)
  }
}

class BadAnswer extends Error {}

/** Put into our words: what a server says about a failure may repeat what it was sent. */
function describe(error: unknown): { code: Code; message: string } {
  const chain = causes(error)
  const refusal = chain.find((one) => one instanceof AppError)
  if (refusal) return { code: 'egress_refused', message: refusal.message }
  if (error instanceof BadAnswer)
    return { code: 'model_bad_answer', message: `the model's answer cannot be used: ${error.message}` }
  const status = chain.map((one) => (one as { statusCode?: unknown }).statusCode).find((one) => typeof one === 'number')
  if (typeof status === 'number') return ofStatus(status, chain[0]?.message ?? '')
  const reason = chain.map((one) => (one as NodeJS.ErrnoException).code).find((one) => typeof one === 'string')
  if (reason ?? chain.some((one) => one.message.includes('fetch failed') || one.message.startsWith('Cannot connect'))) {
    return { code: 'model_unavailable', message: `the model server cannot be reached${reason ? ` (${reason})` : ''}` }
  }
  return { code: 'model_bad_answer', message: 'the model server does not answer as an OpenAI-compatible one does' }
}

function ofStatus(status: number, said: string): { code: Code; message: string } {
  if (status === 401 || status === 403)
    return { code: 'model_unauthorized', message: `the model server refuses the key (${status})` }
  if (status === 404)
    return { code: 'model_unknown', message: 'the model server does not know this model or address (404)' }
  if (status === 429) return { code: 'model_rate_limited', message: 'the model server asks to slow down (429)' }
  if (status === 408 || status === 504)
    return { code: 'model_timeout', message: `the model server gave up waiting (${status})` }
  if (status >= 500) return { code: 'model_unavailable', message: `the model server failed (${status})` }
  if (status >= 400)
    return { code: 'model_refused', message: `the model server refused the request (${status}): ${said}` }
  return { code: 'model_bad_answer', message: 'the model server does not answer as an OpenAI-compatible one does' }
}

function causes(error: unknown): Error[] {
  return error instanceof Error ? [error, ...causes(error.cause)] : []
}

function failed(code: Code, message: string): ModelFailure {
  return { ok: false, error: { code, message } }
}
