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
import type { NodePlan, Plan } from './plan.ts'
import { type Fork, startState, type Used } from './state.ts'

/** One transition in the making. Only the machine's own files change it; the behaviours of nodes see a Scene. */
export interface Walk {
  readonly plan: Plan
  readonly memory: Memory
  readonly writes: Memory
  readonly events: EngineEvent[]
  readonly effects: Effect[]
  readonly records: StepRecord[]
  /** Steps that are to be begun, in this order. */
  readonly ready: number[]
  /** How much was computed, see work.ts. */
  work: number
  steps: number
  visits: Readonly<Record<string, number>>
  activations: readonly Activation[]
  forks: readonly Fork[]
  used: Used
  /** Whose node was done last; it stands for the run when that ends regularly. */
  last: Activation | null
  /** Once it is set nothing goes on. */
  end: { readonly status: RunStatus; readonly error?: Failure } | null
  score?: number | null
}

export function startWalk(plan: Plan, state: RunState, memory: Memory): Walk {
  // A run that an earlier release began knows nothing of forks.
  const { steps, visits, activations, forks, used } = { ...startState(), ...state }
  const nothing = { writes: {}, events: [], effects: [], records: [], ready: [], work: 0, last: null, end: null }
  return { plan, memory, ...nothing, steps, visits, activations, forks, used }
}

/** The transition that the walk has come to. Effects that were asked for and given up again are left out. */
export function finishWalk({ steps, visits, activations, forks, used, end, score, ...walk }: Walk): Transition {
  const pending = activations.flatMap((activation) => activation.pending).filter(({ kind }) => kind !== 'child')
  const calls = new Set(pending.map(({ call }) => call))
  const waiting = pending.length > 0 && pending.every(({ kind }) => kind === 'approval' || kind === 'message')
  const status = end?.status ?? (waiting ? 'waiting' : 'running')
  const effects = walk.effects.filter(({ call }) => calls.has(call))
  const dropped = new Set(walk.effects.map(({ call }) => call).filter((call) => !calls.has(call)))
  return {
    state: { status, steps, visits, activations, forks, used },
    status,
    writes: walk.writes,
    events: walk.events.filter(({ data }) => !dropped.has(String(data['call']))),
    effects,
    steps: walk.records,
    ...(end?.error ? { error: end.error } : {}),
    ...(score === undefined ? {} : { score }),
  }
}

export function nodeOf(plan: Plan, id: string): NodePlan {
  const found = plan.nodes.get(id)
  if (!found) throw new Error(`this version of the package has no node "${id}"`)
  return found
}

/** The run goes no further than this. */
export function endRun(walk: Walk, status: RunStatus, error?: Failure): void {
  walk.end ??= error ? { status, error } : { status }
}
