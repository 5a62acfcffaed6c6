import { type ModelAnswer, type ModelToolCall, maxAnswerCharacters } from './model.ts'
import type { LanguageModel } from './model-client.ts'
import type { KeyMask } from './model-key.ts'

type Stream = Awaited<ReturnType<LanguageModel['doStream']>>['stream']
type Part = Stream extends ReadableStream<infer P> ? P : never
type Finish = Extract<Part, { type: 'finish' }>
type Tokens = Finish['usage']

/** What a server answered that nobody can use. */
export class BadAnswer extends Error {}

const maxToolCalls = 128

/** Reads an answer to its end. Throws BadAnswer, or what the server said went wrong. */
export async function readAnswer(stream: Stream, key: KeyMask, onDelta?: (text: string) => void): Promise<ModelAnswer> {
  const pieces = key.pieces((piece) => onDelta?.(piece))
  const toolCalls: ModelToolCall[] = []
  let text = ''
  let characters = 0
  let end: Finish | undefined
  for await (const part of stream) {
    if (part.type === 'error') throw part.error
    characters += sizeOf(part)
    if (characters > maxAnswerCharacters) throw new BadAnswer(`it is longer than ${maxAnswerCharacters} characters`)
    if (part.type === 'finish') end = part
    if (part.type === 'tool-call') toolCalls.push(toToolCall(part, key))
    if (toolCalls.length > maxToolCalls) throw new BadAnswer(`it calls more than ${maxToolCalls} tools`)
    if (part.type === 'text-delta') {
      text += part.delta
      pieces.push(part.delta)
    }
  }
  pieces.end()
  const finishReason = reasonOf(end)
  return { ok: true, text: key.mask(text), toolCalls, usage: usageOf(end!.usage), finishReason }
}

/** Arguments of a tool come in pieces and then whole; the pieces count. */
function sizeOf(part: Part): number {
  return 'delta' in part && typeof part.delta === 'string' ? part.delta.length : 0
}

/** A stream that ends without the reason why was cut off, or is none: a page of HTML looks like that. */
function reasonOf(end: Finish | undefined): string {
  const { unified, raw } = end?.finishReason ?? {}
  if (!unified || (raw === undefined && unified !== 'stop' && unified !== 'tool-calls')) {
    throw new BadAnswer('it breaks off')
  }
  if (unified === 'error') throw new BadAnswer('it ends with an error')
  return unified
}

/** What a server reports may be anything. */
function usageOf({ inputTokens, outputTokens }: Tokens): ModelAnswer['usage'] {
  const sane = (count: unknown) =>
    typeof count === 'number' && count > 0 ? Math.min(Math.round(count), 1_000_000_000) : 0
  return { inputTokens: sane(inputTokens.total), outputTokens: sane(outputTokens.total) }
}

function toToolCall(part: Extract<Part, { type: 'tool-call' }>, key: KeyMask): ModelToolCall {
  if (part.input.length > maxAnswerCharacters) throw new BadAnswer('the arguments of a tool are too long')
  const id = key.mask(part.toolCallId).slice(0, 200)
  const name = key.mask(part.toolName).slice(0, 200)
  try {
    return { id, name, arguments: parseJson(key.mask(part.input.trim() || '{}')) }
  } catch {
    throw new BadAnswer(`it called ${name} with arguments that are not JSON`)
  }
}

/** Throws for what is not JSON, for names that mean more than themselves, and for what is nested without end. */
export function parseJson(text: string): unknown {
  return JSON.parse(text, (key, value) => {
    if (key === '__proto__') throw new Error('a key that is not allowed')
    return value
  })
}
