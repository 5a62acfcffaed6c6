import type { Effect, Message, ModelResult } from '../../src/engine/machine.ts'
import { type Draft, packageOf, smallest } from './packages.ts'
import { type Played, type PlayOptions, play, turn, type World } from './play.ts'

export type ModelEffect = Extract<Effect, { kind: 'model' }>

const lookUp = { type: 'object', properties: { q: { type: 'integer' } } }

/** One model with a few tools; `answers` are its turns, the last one again and again. `change` may change the package. */
export function talk(
  answers: readonly ModelResult[],
  world: World = {},
  change: (node: Draft, draft: Draft) => void = () => {},
  { files = {}, ...options }: PlayOptions & { readonly files?: Record<string, string> } = {},
): Played {
  const draft = smallest()
  draft.tools.push({ name: 'look_up', file: 'tools/look-up.js', description: 'Looks up.', inputSchema: lookUp })
  draft.graph.nodes[0] = {
    id: 'answer',
    type: 'event_loop',
    systemPrompt: 'prompts/draft.md',
    inputKeys: ['question'],
    outputKeys: ['reply', 'aside'],
    nullableOutputKeys: ['aside'],
    tools: ['echo', 'look_up', 'write_report'],
  }
  change(draft.graph.nodes[0], draft)
  let count = 0
  const model = () => answers[Math.min(count++, answers.length - 1)] as ModelResult
  return play(packageOf(draft, files), { model, ...world }, options)
}

/** A model that never stops, and never does the same twice. */
export const busy = Array.from({ length: 60 }, (_, n) => turn(['echo', { n }]))

export const turns = ({ effects }: Played) => effects.filter((effect): effect is ModelEffect => effect.kind === 'model')

export const outcome = ({ last }: Played) =>
  [last.status, last.error?.code, last.error?.message].filter(Boolean).join(': ')

/** What stands in the conversation of a turn after the prompt and the inputs. */
export const saidTo = (played: Played, index: number) => turns(played)[index]?.messages.slice(2)

export const eventsOf = ({ transitions }: Played, type: string) =>
  transitions.flatMap(({ events }) => events).filter((event) => event.type === type)

/** What a provider would refuse in a conversation: a call without its answer behind it, an answer without its call. */
export function unpaired(messages: readonly Message[]): string | undefined {
  let open: string[] = []
  for (const [index, message] of messages.entries()) {
    if (message.role === 'tool') {
      if (open.shift() !== message.toolCallId) return `${index}: no call ${message.toolCallId} is open`
      continue
    }
    if (open.length > 0) return `${index}: no answer to ${open}`
    if (message.role === 'system' && index > 0) return `${index}: a system prompt in the middle`
    if (message.role === 'assistant') open = message.toolCalls.map(({ id }) => id)
  }
  return open.length > 0 ? `the end: no answer to ${open}` : undefined
}
