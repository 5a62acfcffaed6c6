import type { Message, ToolCall } from '../machine.ts'
import { askUser, setOutput } from '../platform-tools.ts'
import { conversationTokens, first } from './text.ts'

/** Of the latest turns this many stay as they are; fewer when they are too long. */
const latestTurns = [3, 2, 1]
/** What compaction aims at, so that not every turn needs it again. */
const goal = 0.6
/** Characters: what the model said and what it was answered, and what it gave to a tool, stays when it is short. */
const maxSaid = 200
const maxArguments = 400

/** A value is worth following when it can hardly be there by chance: a word with a digit, or a text of some length. */
const words = /[\p{L}\p{N}_.@:/-]{4,200}/gu
const digit = /\p{N}/u
/** Characters. */
const textLength = { least: 8, most: 200 } as const

/**
 * The conversation in at most so many tokens, or null. Kept as they are: the system prompt and the inputs, whatever people
 * and this machine said, questions to people, outputs that were set, the latest turns, and every answer of a tool that
 * was the first to hold a value which the model used in a later call, with that call. Of the rest each message keeps its place, so that calls and
 * their answers still belong together, and becomes short.
 */
export function compact(messages: readonly Message[], most: number): Message[] | null {
  const linked = linksIn(messages)
  const attempts = latestTurns.map((turns) => shortened(messages, linked, turns))
  const small = attempts.find((attempt) => conversationTokens(attempt) <= most * goal) ?? (attempts.at(-1) as Message[])
  return conversationTokens(small) <= most ? small : null
}

function shortened(messages: readonly Message[], linked: Links, turns: number): Message[] {
  const starts = messages.flatMap(({ role }, index) => (role === 'assistant' ? [index] : []))
  const latest = starts.at(-turns) ?? 0
  return messages.map((message, index) => {
    if (index >= latest) return message
    switch (message.role) {
      case 'assistant':
        return {
          ...message,
          content: shortText(message.content),
          toolCalls: message.toolCalls.map((call) => (linked.calls.has(call.id) ? call : shortCall(call))),
        }
      case 'tool':
        return linked.answers.has(message.toolCallId) || isKept(message.name) ? message : stubOf(message)
      default:
        return message
    }
  })
}

function shortText(text: string): string {
  return text.length > maxSaid ? `${first(text, maxSaid)}…` : text
}

function stubOf(message: Message & { role: 'tool' }): Message {
  const { length } = message.content
  if (length <= maxSaid) return message
  return { ...message, content: `[removed: ${length} characters; call ${message.name} again if you need them]` }
}

function isKept(tool: string): boolean {
  return tool === setOutput || tool === askUser
}

function shortCall(call: ToolCall): ToolCall {
  const { length } = JSON.stringify(call.arguments)
  if (isKept(call.name) || length <= maxArguments) return call
  return { ...call, arguments: { removed: `${length} characters` } }
}

/** Ids of the answers that were the first to hold a value which a later call holds as well, and of those calls. */
interface Links {
  readonly answers: Set<string>
  readonly calls: Set<string>
}

function linksIn(messages: readonly Message[]): Links {
  /** Value -> the call whose answer brought it; null when something else did. */
  const origins = new Map<string, string | null>()
  const linked: Links = { answers: new Set(), calls: new Set() }
  for (const message of messages) {
    if (message.role === 'assistant') {
      for (const { id, arguments: given } of message.toolCalls) {
        for (const value of valuesOf(given)) {
          const origin = origins.get(value)
          if (origin) {
            linked.answers.add(origin)
            linked.calls.add(id)
          } else origins.set(value, null)
        }
      }
      continue
    }
    const origin = message.role === 'tool' ? message.toolCallId : null
    for (const value of valuesIn(message)) if (!origins.has(value)) origins.set(value, origin)
  }
  return linked
}

/** The values in an answer, or in the inputs: those are lines of JSON after a key. */
function* valuesIn({ role, content }: Message): Iterable<string> {
  yield* wordsIn(content)
  if (role === 'tool') yield* textsOf(parsed(content))
  else for (const line of content.split('\n')) yield* textsOf(parsed(line.slice(line.indexOf(': ') + 1)))
}

function* valuesOf(given: unknown): Iterable<string> {
  yield* wordsIn(JSON.stringify(given))
  yield* textsOf(given)
}

function* wordsIn(text: string): Iterable<string> {
  for (const [word] of text.matchAll(words)) if (digit.test(word)) yield word
}

function* textsOf(value: unknown): Iterable<string> {
  const waiting = [value]
  while (waiting.length > 0) {
    const item = waiting.pop()
    if (typeof item === 'string' && item.length >= textLength.least && item.length <= textLength.most) yield item
    if (typeof item === 'object' && item !== null) for (const field of Object.values(item)) waiting.push(field)
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
