import {
  type Effect,
  type Input,
  type Memory,
  type ModelResult,
  next,
  pendingEffects,
  type RunState,
  startState,
  type ToolResult,
  type Transition,
} from '../../src/engine/machine.ts'
import type { AgentPackage } from '../../src/engine/package.ts'
import { faultsOf } from '../support/events.ts'

type Decision = { decision: 'approve' | 'edit' | 'reject'; values?: unknown; reason?: string }
type Of<Kind> = Extract<Effect, { kind: Kind }>

/** What answers the effects. Each must answer the same call in the same way again. */
export interface World {
  readonly tool?: (effect: Of<'tool'>) => ToolResult
  readonly model?: (effect: Of<'model'>) => ModelResult
  readonly decide?: (effect: Of<'approval'>) => Decision
  /** What the person in the chat says. */
  readonly reply?: (effect: Of<'message'>) => string
}

export interface Played {
  readonly last: Transition
  readonly memory: Memory
  readonly transitions: readonly Transition[]
  readonly effects: readonly Effect[]
}

export interface PlayOptions {
  readonly input?: Memory
  readonly entryPoint?: string
  /** A checkpoint to go on from, instead of a start. */
  readonly from?: { readonly state: RunState; readonly memory: Memory }
  /** Called before each input with the number of the transition; true loses what the shell knew, as a crash does. */
  readonly crash?: (count: number) => boolean
  /** How a value gets from one transition to the next; through JSON when left out. */
  readonly keep?: <T>(value: T) => T
  /** Which of the open effects is answered next. */
  readonly pick?: (open: readonly Effect[]) => number
  /** Sees every input and what it was given to, to try more with it. */
  readonly watch?: (state: RunState, memory: Memory, input: Input) => void
}

export const done = (output: unknown = {}): ToolResult => ({ ok: true, output })
export const broken = (message = 'it broke', code = 'tool_threw'): ToolResult => ({
  ok: false,
  error: { code, message },
})

/** A turn of a model: text, or calls as pairs of name and arguments. */
export function turn(...said: (string | [name: string, args: unknown])[]): ModelResult {
  const calls = said.filter((one) => typeof one !== 'string')
  return {
    ok: true,
    text: said.filter((one) => typeof one === 'string').join(''),
    toolCalls: calls.map(([name, args], index) => ({ id: `same-${index % 2}`, name, arguments: args })),
    usage: { inputTokens: 10, outputTokens: 5 },
    finishReason: calls.length > 0 ? 'tool-calls' : 'stop',
  }
}

export const set = (key: string, value: unknown): [string, unknown] => ['set_output', { key, value }]

const approve = (): Decision => ({ decision: 'approve' })

export function answerTo(effect: Effect, world: World): Input {
  const { call } = effect
  if (effect.kind === 'tool') return { kind: 'tool_result', call, result: (world.tool ?? (() => done()))(effect) }
  if (effect.kind === 'model') return { kind: 'model_result', call, result: (world.model ?? (() => turn('')))(effect) }
  if (effect.kind === 'message') {
    const text = (world.reply ?? (() => 'yes'))(effect)
    return { kind: 'message', call, text, from: 'user-1', at: '2026-01-01T00:00:00Z' }
  }
  const { reason = 'because', ...rest } = (world.decide ?? approve)(effect)
  return { kind: 'decision', approval: call, ...rest, reason, decidedBy: 'user-1', decidedAt: '2026-01-01T00:00:00Z' }
}

/** Plays a run to its end as a shell does, everything passing through JSON between transitions. */
export function play(pkg: AgentPackage, world: World, options: PlayOptions = {}): Played {
  const {
    input = { question: 'why?' },
    entryPoint,
    crash = () => false,
    pick = () => 0,
    watch,
    keep = throughJson,
  } = options
  const transitions: Transition[] = []
  const effects: Effect[] = []
  let { state, memory } = options.from ?? { state: startState(), memory: {} }
  let open: Effect[] = options.from ? keep(pendingEffects(pkg, state, memory)) : []
  let now: Input = options.from
    ? answerNext(open, pick, world)
    : { kind: 'start', input, ...(entryPoint === undefined ? {} : { entryPoint }) }
  for (;;) {
    watch?.(state, memory, now)
    const last = keep(next(pkg, state, memory, keep(now)))
    assertFit(last)
    transitions.push(last)
    effects.push(...last.effects)
    memory = { ...memory, ...last.writes }
    state = last.state
    open = crash(transitions.length) ? keep(pendingEffects(pkg, state, memory)) : stillOpen(state, open, last.effects)
    if (open.length === 0) return { last, memory, transitions, effects }
    now = answerNext(open, pick, world)
  }
}

/** Every event fits its schema; a decision is told by whoever takes it, not by the machine's own event. */
function assertFit({ events }: Transition): void {
  const faults = events
    .filter(({ type }) => type !== 'approval_decided')
    .flatMap(({ type, data }) => faultsOf(type, data))
  if (faults.length > 0) throw new Error(faults.join('\n'))
}

/** A transition may drop calls: nobody waits for their answers any more. */
function stillOpen({ activations }: RunState, before: readonly Effect[], more: readonly Effect[]): Effect[] {
  const calls = new Set(activations.flatMap(({ pending }) => pending.map(({ call }) => call)))
  return [...before, ...more].filter(({ call }) => calls.has(call))
}

/** Takes the answered effect out of the list. */
function answerNext(open: Effect[], pick: (open: readonly Effect[]) => number, world: World): Input {
  const [chosen] = open.splice(pick(open), 1)
  return answerTo(chosen as Effect, world)
}

/** The nodes in the order in which they were begun, a retry counting again. */
export function visited({ transitions }: Played): string[] {
  return transitions
    .flatMap((transition) => transition.events)
    .filter((event) => event.type === 'node_loop_started')
    .map((event) => event.nodeId as string)
}

export function throughJson<T>(value: T): T {
  const text = JSON.stringify(value)
  const copy = JSON.parse(text)
  if (typeof copy === 'object' && copy !== null) texts.set(copy, text)
  return copy
}

const texts = new WeakMap<object, string>()

/** A transition as JSON, written once. Whoever asks must not change it afterwards. */
export function textOf(transition: Transition): string {
  const text = texts.get(transition) ?? JSON.stringify(transition)
  texts.set(transition, text)
  return text
}
