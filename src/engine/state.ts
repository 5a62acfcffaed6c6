import type { Effect, Failure, Memory, Message, RunStatus } from './machine.ts'

/**
 * An effect whose result has not come yet, or a child activation. `toolCallId` is the model's own id when a model asked
 * for the tool; `item` is the place in a map's list.
 */
export interface PendingCall {
  readonly call: string
  /** A child is answered inside the machine; the shell never sees it. */
  readonly kind: Effect['kind'] | 'child'
  readonly tool?: string
  readonly toolCallId?: string
  /** Of a model: a second opinion, not a turn. */
  readonly purpose?: 'judge'
  readonly item?: number
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

/** How far a map has come. Results are in memory, under `ownKey` of the item's number. */
export interface ItemsState {
  readonly total: number
  readonly begun: number
  readonly failed: number
  /** Of those that failed the first in the list, whichever failed first. */
  readonly failure: { readonly item: number; readonly error: Failure } | null
}

/** What an activation does after its node is done: asks whether to go on, asks which way, or has the run scored. */
export type Phase =
  | { readonly kind: 'pause' }
  /** Numbers of edges of the node, as its plan has them: what may be chosen, and what is taken in any case. */
  | {
      readonly kind: 'choose'
      readonly priority: number
      readonly options: readonly number[]
      readonly taken: readonly number[]
    }
  | { readonly kind: 'score'; readonly outcome: 'completed' | 'rejected' }

/** Where in the run something happens: a branch of a fork. */
export interface Place {
  readonly fork: number
  readonly branch: number
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
  readonly items?: ItemsState
  /** Left out while the node itself works. */
  readonly phase?: Phase
  /** Left out where the run has not forked. */
  readonly place?: Place
  /** Of a child: what waits for its end. Edges neither lead to a child nor away from it. */
  readonly parent?: { readonly step: number; readonly call: string }
  /** Of a child: the keys that it was given; memory holds their values under `ownKey`. */
  readonly given?: readonly string[]
}

/** One way that a run goes beside others. */
export interface Branch {
  /** The node that it began with. */
  readonly nodeId: string
  readonly status: 'running' | 'arrived' | 'completed' | 'rejected' | 'failed'
  /** Keys that it wrote; memory holds their values under `branchKey` until the branches come together. */
  readonly keys: readonly string[]
  readonly error?: Failure
  /** Where it arrived, and by what edge's mapping. */
  readonly at?: string
  readonly inputMapping?: Activation['inputMapping']
}

/** Branches side by side. */
export interface Fork {
  /** The step that it follows, and that step's node. */
  readonly step: number
  readonly nodeId: string
  /** Where its branches come together; null when each goes to its own end. */
  readonly join: string | null
  readonly branches: readonly Branch[]
  /** The branch that this fork is itself in. */
  readonly place?: Place
}

/** What a run has used so far. */
export interface Used {
  readonly inputTokens: number
  readonly outputTokens: number
  readonly toolCalls: number
}

/** Everything but memory that the next transition depends on. Plain JSON; treat it as opaque. */
export interface RunState {
  readonly status: 'new' | RunStatus
  /** Activations so far, children included. */
  readonly steps: number
  readonly visits: Readonly<Record<string, number>>
  readonly activations: readonly Activation[]
  /** Those whose branches have not come together yet, in the order in which they began. */
  readonly forks: readonly Fork[]
  readonly used: Used
}

/** The state of a run that has not begun. */
export function startState(): RunState {
  const used = { inputTokens: 0, outputTokens: 0, toolCalls: 0 }
  return { status: 'new', steps: 0, visits: {}, activations: [], forks: [], used }
}

// Keys of memory that begin with `$` are the machine's own: no author can name one, and they are null after their use.

/** Where an activation keeps a value of its own. */
export function ownKey(step: number, name: string | number): string {
  return `$${step}.${name}`
}

/** Where a branch keeps a value until the branches come together. */
export function branchKey({ fork, branch }: Place, key: string): string {
  return `$${fork}.${branch}.${key}`
}
