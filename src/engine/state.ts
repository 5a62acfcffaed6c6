import type { Effect, Memory, Message, RunStatus } from './machine.ts'

/**
 * An effect whose result has not come yet, or a child activation. `toolCallId` is the model's own id when a model asked
 * for the tool.
 */
export interface PendingCall {
  readonly call: string
  /** A child is answered inside the machine; the shell never sees it. */
  readonly kind: Effect['kind'] | 'child'
  readonly tool?: string
  readonly toolCallId?: string
  /** Of a model: a second opinion, not a turn. */
  readonly purpose?: 'judge'
}

/** Where the conversation of an event_loop node stands. */
export interface LoopState {
  /** Turns so far. */
  readonly iteration: number
  /** The same since a person last said something: what maxIterations limits. */
  readonly turns: number
  readonly messages: readonly Message[]
  /** Set by the model so far; they reach memory when the node completes. */
  readonly outputs: Memory
  /** Turns in a row that got nowhere. */
  readonly idle: number
  /** A fingerprint of the latest call, how often in a row it was asked for, and whether the model was told to stop. */
  readonly repeated: { readonly call: string; readonly times: number; readonly told: boolean }
}

export interface Spent {
  readonly tokens: number
  readonly toolCalls: number
}

/** One node being worked on. */
export interface Activation {
  /** Counts activations of nodes over the whole run, from 1. */
  readonly step: number
  readonly nodeId: string
  readonly attempt: number
  /** Key as the node sees it -> key in memory, given by the edge that led here. */
  readonly inputMapping: Readonly<Record<string, string>>
  /** Effects asked for so far, over all attempts; the next call id is one more. */
  readonly calls: number
  readonly pending: readonly PendingCall[]
  readonly loop: LoopState | null
  /** What models and tools were used, over all attempts, by it and by all that works for it. */
  readonly spent?: Spent
  /** Of a child: what waits for its end. Edges neither lead to a child nor away from it. */
  readonly parent?: { readonly step: number; readonly call: string }
  /** Of a child: the keys that it was given; memory holds their values under `ownKey`. */
  readonly given?: readonly string[]
}

/** Everything but memory that the next transition depends on. Plain JSON; treat it as opaque. */
export interface RunState {
  readonly status: 'new' | RunStatus
  /** Activations so far, children included. */
  readonly steps: number
  readonly visits: Readonly<Record<string, number>>
  readonly activations: readonly Activation[]
}

/** The key of memory where an activation keeps something of its own. No author can name it, since it begins with `$`. */
export function ownKey(step: number, name: string | number): string {
  return `$${step}.${name}`
}
