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
  queuedAt: Time,
  startedAt: Nullable(Time),
  finishedAt: Nullable(Time),
})
export type Run = Static<typeof Run>

export const RunPath = Strict({ runId: Id })

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
