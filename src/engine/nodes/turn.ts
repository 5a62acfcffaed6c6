import type { Memory, Message, ModelResult, ToolCall } from '../machine.ts'
import { askUser, delegate, setOutput } from '../platform-tools.ts'
import type { LoopState, PendingCall } from '../state.ts'
import { argumentsProblem, type CallScene, refusal } from './calls.ts'
import { answered } from './conversation.ts'
import type { LoopNode } from './loop-tools.ts'
import type { Scene } from './node.ts'
import { count, mostInARow } from './repeats.ts'
import { charactersIn, cut, first } from './text.ts'

/** A turn of the model, with what can be answered at once already answered. */
export interface Received {
  readonly messages: readonly Message[]
  readonly outputs: Memory
  /** Keys that were set in this turn. */
  readonly set: readonly string[]
  /** Calls that are to be made. */
  readonly calls: readonly Call[]
  /** Whether a call was answered with an error that the model has to see. */
  readonly refused: boolean
  /** Whether a result was set that was not there before. */
  readonly changed: boolean
  readonly repeated: LoopState['repeated']
  /** What the model asks for once more, after it was told to stop; null else. */
  readonly doomed: string | null
}

type Call = Pick<PendingCall, 'kind'> & { readonly id: string; readonly name: string }

const kinds: Readonly<Record<string, PendingCall['kind']>> = { [askUser]: 'message', [delegate]: 'child' }
/** Longer than any tool's name; a model may name anything. */
const maxName = 130

/**
 * Takes in a turn. The model's call ids are replaced, since it may use one twice; calls above the limit are dropped,
 * and it is told so.
 */
export function receive(
  scene: Scene<LoopNode>,
  loop: LoopState,
  shown: CallScene['shown'],
  call: string,
  turn: ModelResult & { ok: true },
): Received {
  const { maxToolCallsPerTurn: most, maxHistoryTokens } = scene.plan.limits
  const room = charactersIn(maxHistoryTokens)
  const taken = new Taken(scene, loop, shown)
  const toolCalls = turn.toolCalls.slice(0, most).map(({ name, arguments: given }, index): ToolCall => {
    const problem = argumentsProblem(given, room / 2)
    const id = `call_${call.replace('.', '_')}_${index + 1}`
    const asked = { id, name: first(String(name), maxName), arguments: problem ? {} : given }
    taken.take(asked, problem)
    return asked
  })
  const dropped = turn.toolCalls.length - toolCalls.length
  const note = `Only the first ${most} of your ${turn.toolCalls.length} calls were made.`
  const messages: Message[] = [
    { role: 'assistant', content: cut(turn.text, room / 4), toolCalls },
    ...taken.answers.map(([asked, answer]) => answered(asked, answer, scene.plan)),
    ...(dropped > 0 ? [{ role: 'user' as const, content: note }] : []),
  ]
  const { outputs, set, calls, repeated, doomed } = taken
  const changed = set.some((key) => JSON.stringify(outputs[key]) !== JSON.stringify(loop.outputs[key]))
  return { messages, outputs, set, calls, refused: taken.refused || dropped > 0, changed, repeated, doomed }
}

/** The calls of one turn, taken in one after the other. */
class Taken {
  readonly outputs: Memory
  readonly set: string[] = []
  readonly answers: [ToolCall, string][] = []
  readonly calls: Call[] = []
  refused = false
  doomed: string | null = null
  repeated: LoopState['repeated']
  readonly #scene: Scene<LoopNode>
  readonly #shown: CallScene['shown']
  /** What the model knew when it made the turn: nothing of what happens in it. */
  readonly #known: LoopState['repeated']

  constructor(scene: Scene<LoopNode>, loop: LoopState, shown: CallScene['shown']) {
    this.#scene = scene
    this.#shown = shown
    this.#known = loop.repeated
    this.repeated = loop.repeated
    this.outputs = { ...loop.outputs }
  }

  take(asked: ToolCall, found: string | null): void {
    const asks = this.calls.some(({ kind }) => kind === 'message')
    const problem = found ?? refusal(asked, { scene: this.#scene, shown: this.#shown, outputs: this.outputs, asks })
    if (problem !== null) this.#refuse(asked, problem)
    else if (asked.name === setOutput) this.#setOutput(asked)
    else this.#call(asked)
  }

  #refuse(asked: ToolCall, problem: string): void {
    this.refused = true
    this.answers.push([asked, problem])
  }

  #setOutput(asked: ToolCall): void {
    const { key, value } = asked.arguments as { key: string; value?: unknown }
    this.outputs[key] = value ?? null
    this.set.push(key)
    this.answers.push([asked, 'ok'])
  }

  #call(asked: ToolCall): void {
    const { id, name } = asked
    this.repeated = count(asked, this.repeated)
    const { call, times } = this.repeated
    if (times < mostInARow) {
      this.calls.push({ id, name, kind: kinds[name] ?? 'tool' })
      return
    }
    if (this.#known.told && this.#known.call === call) this.doomed = name
    this.repeated = { ...this.repeated, told: true }
    const problem = `error: you have asked for ${name} with the same arguments ${times} times in a row; do something else`
    this.#refuse(asked, problem)
  }
}
