import type {
  Activation,
  Effect,
  EngineEvent,
  Failure,
  Memory,
  RunState,
  RunStatus,
  StepRecord,
  Transition,
} from './machine.ts'
import type { Scene } from './nodes/node.ts'
import type { NodePlan, Plan } from './plan.ts'
import { ownKey } from './state.ts'

/** One transition in the making. Only the machine's own files change it; the behaviours of nodes see a Scene. */
export interface Walk {
  readonly plan: Plan
  readonly memory: Memory
  readonly writes: Memory
  readonly events: EngineEvent[]
  readonly effects: Effect[]
  readonly records: StepRecord[]
  /** Steps whose attempt is still to be begun. */
  readonly ready: number[]
  /** Attempts that failed before they called anything. */
  idle: number
  steps: number
  visits: Readonly<Record<string, number>>
  activations: readonly Activation[]
  end: { status: RunStatus; error?: Failure } | null
}

export function startWalk(plan: Plan, state: RunState, memory: Memory): Walk {
  const { steps, visits, activations } = state
  const nothing = { writes: {}, events: [], effects: [], records: [], ready: [], idle: 0, end: null }
  return { plan, memory, ...nothing, steps, visits, activations }
}

/** The transition that the walk has come to. */
export function finishWalk({ steps, visits, activations, end, ...walk }: Walk): Transition {
  const pending = activations.flatMap((activation) => activation.pending).filter(({ kind }) => kind !== 'child')
  const waiting = pending.length > 0 && pending.every(({ kind }) => kind === 'approval' || kind === 'message')
  const status = end?.status ?? (waiting ? 'waiting' : 'running')
  return {
    state: { status, steps, visits, activations },
    status,
    writes: walk.writes,
    events: walk.events,
    effects: walk.effects,
    steps: walk.records,
    ...(end?.error ? { error: end.error } : {}),
  }
}

export function nodeOf(plan: Plan, id: string): NodePlan {
  const found = plan.nodes.get(id)
  if (!found) throw new Error(`this version of the package has no node "${id}"`)
  return found
}

export function sceneOf(walk: Walk, activation: Activation): Scene {
  const { step, nodeId } = activation
  return {
    plan: walk.plan,
    node: nodeOf(walk.plan, nodeId).node,
    read: (key) => readFor(walk, activation, key),
    emit: (type, data) => walk.events.push({ type, nodeId, data: { step, ...data } }),
  }
}

/** A key as an activation sees it: what it or what it works for was given, and else memory. */
export function readFor(walk: Walk, activation: Activation, key: string): unknown {
  for (let at: Activation | undefined = activation; at; at = parentOf(walk, at)) {
    if (at.given?.includes(key)) return readOf(walk, ownKey(at.step, key))
  }
  return readOf(walk, key)
}

export function parentOf(walk: Walk, { parent }: Activation): Activation | undefined {
  return parent && walk.activations.find(({ step }) => step === parent.step)
}

export function endRun(walk: Walk, status: RunStatus, error?: Failure): void {
  walk.activations = []
  walk.end = error ? { status, error } : { status }
  const type = status === 'failed' ? 'execution_failed' : 'execution_completed'
  walk.events.push({ type, nodeId: null, data: error ? { error } : { outcome: status } })
}

function readOf({ writes, memory }: Walk, key: string): unknown {
  if (Object.hasOwn(writes, key)) return writes[key]
  return Object.hasOwn(memory, key) ? memory[key] : undefined
}
