import { checkJson } from './json-schema.ts'
import type { ModelAnswer, ModelFailure, ModelRequest } from './model.ts'
import { parseJson } from './model-answer.ts'

type Ask = (request: ModelRequest) => Promise<ModelAnswer | ModelFailure>

/** An answer that is an object of the wanted shape. */
export type ObjectAnswer = ModelAnswer & { readonly object: unknown }

/**
 * Asks for an object that fits `output`: by the provider's own means where it has them, in words everywhere, and checked
 * here. What does not fit is shown to the model once, to be mended; then it is model_bad_answer.
 */
export async function askForObject(
  request: ModelRequest & { readonly output: object },
  ask: Ask,
): Promise<ObjectAnswer | ModelFailure> {
  const told = { ...request, messages: withInstruction(request) }
  let asked: ModelRequest = told
  let answer = await ask(asked)
  if (!answer.ok && answer.error.code === 'model_refused' && request.provider === 'openai_compatible') {
    // Many compatible servers know no schemas: the words are left, and the check.
    asked = { ...told, output: undefined, idempotencyKey: suffixed(request, 'words') }
    answer = await ask(asked)
  }
  if (!answer.ok) return answer
  const first = read(answer, request.output)
  if (first.faults.length === 0) return { ...answer, object: first.object }
  const mended = await ask({
    ...asked,
    messages: [...asked.messages, ...complaint(answer.text, first.faults)],
    idempotencyKey: suffixed(request, 'mend'),
  })
  if (!mended.ok) return mended
  const second = read(mended, request.output)
  if (second.faults.length === 0) return { ...mended, object: second.object }
  const message = `the model's answer does not have the shape that was asked for: ${second.faults.join('; ')}`
  return { ok: false, error: { code: 'model_bad_answer', message: message.slice(0, 500) } }
}

function withInstruction({ messages, output }: ModelRequest): ModelRequest['messages'] {
  const words = `Answer with one JSON object and nothing else. It must fit this JSON Schema:\n${JSON.stringify(output)}`
  const [first, ...rest] = messages
  if (first?.role !== 'system') return [{ role: 'system', content: words }, ...messages]
  return [{ role: 'system', content: `${first.content}\n\n${words}` }, ...rest]
}

function complaint(text: string, faults: readonly string[]): ModelRequest['messages'] {
  return [
    ...(text === '' ? [] : [{ role: 'assistant' as const, content: text, toolCalls: [] }]),
    { role: 'user', content: `That cannot be used: ${faults.join('; ')}. Answer again, with the JSON object only.` },
  ]
}

function read({ text }: ModelAnswer, output: object): { object?: unknown; faults: string[] } {
  let object: unknown
  try {
    object = parseJson(withoutFence(text))
  } catch {
    return { faults: ['it is not JSON'] }
  }
  if (typeof object !== 'object' || object === null || Array.isArray(object)) return { faults: ['it is no object'] }
  const faults = checkJson(output, object, 'answer').slice(0, 10)
  return { object, faults: faults.map(({ path, reason }) => `${path} ${reason}`) }
}

/** Models like to put what they were asked for into a block of Markdown. */
function withoutFence(text: string): string {
  const trimmed = text.trim()
  const opening = /^```(?:json)?[ \t]*\r?\n/.exec(trimmed)?.[0].length
  // Only ends are looked at, each once: a pattern for the whole can take a stranger's text without end.
  return opening !== undefined && trimmed.endsWith('```') ? trimmed.slice(opening, -3) : text
}

function suffixed({ idempotencyKey }: ModelRequest, what: string): string | undefined {
  return idempotencyKey && `${idempotencyKey}:${what}`
}
