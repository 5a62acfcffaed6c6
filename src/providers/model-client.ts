import type { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import type { ModelMessage, ModelRequest } from './model.ts'

export type LanguageModel = ReturnType<ReturnType<typeof createOpenAICompatible>['chatModel']>
type CallOptions = Parameters<LanguageModel['doStream']>[0]

/**
 * The client of the request's provider, loaded by the first call: a process that asks no model does without its memory.
 * Address and key are always given: what is left out, these libraries look up in the environment.
 */
export async function connect(request: ModelRequest, fetch: typeof globalThis.fetch): Promise<LanguageModel> {
  const { provider, baseUrl, apiKey = '', model } = request
  if (provider === 'anthropic') {
    const { createAnthropic } = await import('@ai-sdk/anthropic')
    return createAnthropic({ baseURL: baseUrl ?? 'https://api.anthropic.com/v1', apiKey, fetch })(model)
  }
  if (provider === 'openai') {
    const { createOpenAI } = await import('@ai-sdk/openai')
    // Chat completions: the newer protocol keeps what was said on the server unless it is told not to.
    return createOpenAI({ baseURL: baseUrl ?? 'https://api.openai.com/v1', apiKey, fetch }).chat(model)
  }
  const { createOpenAICompatible } = await import('@ai-sdk/openai-compatible')
  const compatible = { name: 'model', includeUsage: true, supportsStructuredOutputs: true, fetch }
  return createOpenAICompatible({ ...compatible, baseURL: baseUrl ?? '', ...(apiKey ? { apiKey } : {}) }).chatModel(
    model,
  )
}

export function optionsOf(request: ModelRequest): CallOptions {
  const { messages, tools, output, maxTokens, temperature, idempotencyKey } = request
  // Strict schemas are a dialect; an author's schema need not be of it, and the answer is checked here anyway.
  const strict = { strictJsonSchema: false }
  return {
    prompt: messages.filter(saysSomething).map(toPrompt),
    tools: tools.map((tool) => ({ type: 'function', ...tool })),
    maxOutputTokens: maxTokens,
    ...(temperature === null ? {} : { temperature }),
    ...(output ? { responseFormat: { type: 'json', schema: output, name: 'answer' } } : {}),
    ...(idempotencyKey ? { headers: { 'idempotency-key': idempotencyKey } } : {}),
    providerOptions: { openai: strict, model: strict },
  }
}

/** A turn that neither said nor called anything: providers refuse to hear of it. */
function saysSomething(message: ModelMessage): boolean {
  return message.role === 'tool' || message.content !== '' || ('toolCalls' in message && message.toolCalls.length > 0)
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
