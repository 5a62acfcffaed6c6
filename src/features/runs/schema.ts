import { type Static, Type } from 'typebox'
import { Failure, Id, Nullable, Strict, Time } from '../schema.ts'

export const RunStatus = Type.Enum([
  'queued',
  'running',
  'waiting',
  'paused',
  'completed',
  'rejected',
  'failed',
  'cancelled',
])
export type RunStatus = Static<typeof RunStatus>

export const Run = Type.Object({
  id: Id,
  status: RunStatus,
  currentNode: Nullable(Type.String()),
  error: Nullable(Failure),
  score: Nullable(Type.Number({ minimum: 0, maximum: 1, description: 'How far the goal was reached.' })),
  forkedFrom: Nullable(Type.Object({ runId: Id, seq: Type.Integer() })),
  queuedAt: Time,
  startedAt: Nullable(Time),
  finishedAt: Nullable(Time),
})
export type Run = Static<typeof Run>

export const RunPath = Strict({ runId: Id })
export const RunList = Type.Object({ items: Type.Array(Run) })

export const CheckpointKind = Type.Enum(['node_start', 'node_complete', 'loop_iteration', 'human_approval'])
export type CheckpointKind = Static<typeof CheckpointKind>

/** A place that a new run can go on from. */
export const Checkpoint = Type.Object({
  seq: Type.Integer({ description: 'Counts up from 1 without gaps within the run.' }),
  kind: CheckpointKind,
  nodeId: Nullable(Type.String()),
  createdAt: Time,
})
export type Checkpoint = Static<typeof Checkpoint>
export const CheckpointQuery = Strict({
  after: Type.Optional(Type.Integer({ minimum: 0, maximum: 2 ** 31 - 1, default: 0 })),
})
/** Oldest first, at most 200. */
export const CheckpointList = Type.Object({ items: Type.Array(Checkpoint), nextAfter: Nullable(Type.Integer()) })

export const Step = Type.Object({
  step: Type.Integer(),
  nodeId: Type.String(),
  attempt: Type.Integer(),
  status: Type.Enum(['running', 'completed', 'failed', 'waiting']),
  error: Nullable(Failure),
  startedAt: Time,
  finishedAt: Nullable(Time),
})
export type Step = Static<typeof Step>
/** Oldest first; a run has at most loopConfig.maxSteps steps, so the list is not paged. */
export const StepList = Type.Object({ items: Type.Array(Step) })

export const StepPath = Strict({ runId: Id, step: Type.Integer({ minimum: 1, maximum: 1000 }) })
const Values = Type.Array(
  Type.Object({
    key: Type.String(),
    value: Type.Unsafe<unknown>({ description: 'Null when `bytes` says that it is too large to show here.' }),
    bytes: Type.Integer({ description: 'Length of the value as JSON.' }),
  }),
)
/** One attempt with what it read and left in memory. A value of more than 64 KB is named, not shown. */
export const StepDetail = Type.Object({ ...Step.properties, inputs: Values, outputs: Values })
export type StepDetail = Static<typeof StepDetail>
export const StepDetailList = Type.Object({ items: Type.Array(StepDetail) })
