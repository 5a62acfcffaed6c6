import type { Activation, Effect, EngineEvent, Failure, Input, Memory, PendingCall, ToolResult } from '../machine.ts'
import type { Plan } from '../plan.ts'
import type { Node } from '../schema.ts'

/** What a node sees while it works. */
export interface Scene<N extends Node = Node> {
  readonly plan: Plan
  readonly node: N
  /** Memory, by its own keys. */
  readonly read: (key: string) => unknown
  /** What this activation kept; undefined when it kept nothing of that name. */
  readonly recall: (name: number) => unknown
  readonly emit: (type: EngineEvent['type'], data: Record<string, unknown>) => void
}

/** How an attempt ended. */
export interface Result {
  readonly error: Failure | null
  /** Goes to memory, after a failure too. */
  readonly outputs: Memory
  /** A person's no: a failure that is never tried again. */
  readonly rejected?: boolean
}

/** A node to be worked on for another one, which waits for it as for a call of kind `child`. */
export interface ChildStart {
  readonly call: string
  readonly nodeId: string
  /** Keys that the child reads instead of those of memory. */
  readonly inputs: Memory
}

/** An attempt that goes on, with the calls it waits for and the children to be begun, or its end. */
export type Progress =
  | {
      readonly activation: Activation
      readonly children?: readonly ChildStart[]
      /** Results of items by their number, kept in memory until the activation ends. */
      readonly keep?: Readonly<Record<number, unknown>>
    }
  | { readonly result: Result }

/** How a child ended: its outputs, or its failure. A person's no has the code `rejected`. */
export interface ChildResult {
  readonly kind: 'child_result'
  readonly call: string
  readonly result: ToolResult
}

/** An answer to a call. */
export type Answer = Exclude<Input, { kind: 'start' | 'deadline' }> | ChildResult

/** What a type of node does. All of it is a function of its arguments. */
export interface Behaviour<N extends Node> {
  begin(scene: Scene<N>, activation: Activation): Progress
  /** The same effect again whenever it is asked for. */
  effect(scene: Scene<N>, activation: Activation, pending: PendingCall): Effect
  /** `activation` no longer waits for `pending`. */
  answer(scene: Scene<N>, activation: Activation, pending: PendingCall, answer: Answer): Progress
}

/** The attempt, waiting for one more call. */
export function asking(activation: Activation, call: Omit<PendingCall, 'call'>): Activation {
  const calls = activation.calls + 1
  const pending = [...activation.pending, { call: `${activation.step}.${calls}`, ...call }]
  return { ...activation, calls, pending }
}

export function failed(code: string, message: string, outputs: Memory = {}): { result: Result } {
  return { result: { error: { code, message }, outputs } }
}

export function completed(outputs: Memory): { result: Result } {
  return { result: { error: null, outputs } }
}

/** The values of a node's input keys; a key that memory does not have is left out. */
export function inputsOf({ node, read }: Scene, { inputMapping }: Activation): Memory {
  const pairs = (node.inputKeys ?? []).map((key) => [key, read(sourceOf(inputMapping, key))] as const)
  return Object.fromEntries(pairs.filter(([, value]) => value !== undefined))
}

/** The key of memory behind a key as the node names it. */
export function sourceOf(inputMapping: Activation['inputMapping'], key: string): string {
  return Object.hasOwn(inputMapping, key) ? (inputMapping[key] as string) : key
}

/**
 * The node's outputs taken from what it produced; every other key is dropped. What may be missing becomes null, so that
 * nothing is left of an earlier visit. `missing` names what may not.
 */
export function outputsOf(node: Node, produced: Memory): { outputs: Memory; missing: string[] } {
  const found = (key: string) => (Object.hasOwn(produced, key) ? (produced[key] ?? null) : null)
  const keys = node.outputKeys ?? []
  return {
    outputs: Object.fromEntries(keys.map((key) => [key, found(key)])),
    missing: keys.filter((key) => found(key) === null && !node.nullableOutputKeys?.includes(key)),
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
