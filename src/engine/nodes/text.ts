import type { Message } from '../machine.ts'

const charactersPerToken = 4
export const maxDepth = 100
/** Half of a character outside the basic plane, left over when a text was cut: nothing can store it. */
const halfCharacter = /[\uD800-\uDBFF]$/

/** A rough count, the same for every model: four characters a token. */
export function conversationTokens(messages: readonly Message[]): number {
  const characters = messages.reduce((sum, message) => {
    const calls = message.role === 'assistant' ? JSON.stringify(message.toolCalls).length : 0
    return sum + message.content.length + calls
  }, 0)
  return Math.ceil(characters / charactersPerToken)
}

/** How many characters fit into this many tokens. */
export function charactersIn(tokens: number): number {
  return tokens * charactersPerToken
}

/** The beginning of a text. */
export function first(text: string, most: number): string {
  return text.length <= most ? text : text.slice(0, most).replace(halfCharacter, '')
}

/** A text that says itself when it was cut. */
export function cut(text: string, most: number): string {
  if (text.length <= most) return text
  const note = `\n[cut: these are the first characters of ${text.length}]`
  return `${first(text, Math.max(0, most - note.length))}${note}`
}

/** A tool's answer as a model reads it. */
export function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  return isDeep(value) ? `error: the answer is nested deeper than ${maxDepth}` : JSON.stringify(value ?? null)
}

/** Whether a value is nested so deeply that a walk through it could break. */
export function isDeep(value: unknown): boolean {
  let level: unknown[] = [value]
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > maxDepth) return true
    level = level.flatMap((item) => (typeof item === 'object' && item !== null ? Object.values(item) : []))
  }
  return false
}

/** One value a line, as JSON behind its key. */
export function asJsonLines(values: Readonly<Record<string, unknown>>): string {
  return Object.entries(values)
    .map(([key, value]) => `${key}: ${JSON.stringify(value)}`)
    .join('\n')
}
