import type { Static } from 'typebox'
import type { TenantQueries } from '../../db/queries.ts'
import { AppError, notFound } from '../../errors.ts'
import type { TenantContext } from '../../tenancy/context.ts'
import { record } from '../audit/service.ts'
import type { RunUsage } from '../models/schema.ts'
import { usageOf } from '../models/service.ts'
import { insertFork, type Source } from './fork.ts'
import {
  appendEvents,
  cancelled,
  failOpenSteps,
  findRunRow,
  insertRun,
  listCheckpointRows,
  listRunRows,
  listStepRows,
  lockRun,
  lockRunOfSession,
  notifyAnswers,
  notifyRuns,
  request,
  updateRun,
} from './repository.ts'
import type {
  CheckpointKind,
  CheckpointList,
  Run,
  RunList,
  RunStatus,
  Step,
  StepDetailList,
  StepList,
} from './schema.ts'
import { listStepValues } from './steps.ts'

export { appendEvents } from './repository.ts'
export { resultsOf } from './results.ts'

export type RunRow = NonNullable<Awaited<ReturnType<typeof lockRun>>>

const ended: readonly string[] = ['completed', 'rejected', 'failed', 'cancelled']

export async function listSteps(tenant: TenantContext<'runs:read'>, runId: string): Promise<Static<typeof StepList>> {
  const rows = await listStepRows(tenant.rows, { runId })
  if (rows.length === 0 && !(await findRunRow(tenant.rows, { id: runId }))[0]) throw notFound('run')
  return { items: rows.map(toStep) }
}

export async function getUsage(tenant: TenantContext<'runs:read'>, runId: string): Promise<RunUsage> {
  const usage = await usageOf(tenant.rows, runId)
  if (usage.total.calls === 0 && !(await findRunRow(tenant.rows, { id: runId }))[0]) throw notFound('run')
  return usage
}

/** One step's attempts, with what they read and left. Throws not_found when the run has not come to it. */
export async function getStep(
  tenant: TenantContext<'runs:read'>,
  runId: string,
  step: number,
): Promise<Static<typeof StepDetailList>> {
  const [rows, values] = await Promise.all([
    listStepRows(tenant.rows, { runId }),
    listStepValues(tenant.rows, runId, step),
  ])
  const attempts = rows.filter((row) => row.step === step)
  if (attempts.length === 0) throw notFound('step')
  const shown = (attempt: number, direction: string) =>
    values
      .filter((one) => one.attempt === attempt && one.direction === direction)
      .map(({ key, value, bytes }) => ({ key, value, bytes }))
  return {
    items: attempts.map((row) => ({
      ...toStep(row),
      inputs: shown(row.attempt, 'input'),
      outputs: shown(row.attempt, 'output'),
    })),
  }
}

/** Where a new run can go on from, oldest first. */
export async function listCheckpoints(
  tenant: TenantContext<'runs:read'>,
  runId: string,
  after: number,
): Promise<Static<typeof CheckpointList>> {
  const rows = await listCheckpointRows(tenant.rows, { runId, after })
  if (rows.length === 0 && !(await findRunRow(tenant.rows, { id: runId }))[0]) throw notFound('run')
  const items = rows.map(({ seq, kind, node_id: nodeId, created_at }) => {
    return { seq, kind: kind as CheckpointKind, nodeId, createdAt: created_at.toISOString() }
  })
  return { items, nextAfter: items.length === 200 ? items.at(-1)!.seq : null }
}

/** Every run of a session, newest first; empty for a session that there is not. */
export async function listRuns(tenant: TenantContext<'runs:read'>, sessionId: string): Promise<Static<typeof RunList>> {
  return { items: (await listRunRows(tenant.rows, { sessionId })).map(toRun) }
}

/**
 * A further run of a session whose last one has ended: from the beginning with the same input, or from a checkpoint.
 * Throws `conflict` while a run is open.
 */
export async function createNextRun(tx: TenantQueries, sessionId: string, source: Source | null): Promise<string> {
  if (!(await lockRunOfSession(tx, sessionId))) throw notFound('session')
  // Read after the lock: whoever held it may have made a run.
  const [last] = await listRunRows(tx, { sessionId })
  if (!ended.includes(last!.status)) {
    throw new AppError('conflict', `the session's run is ${last!.status}; it has to end first`)
  }
  const id = source ? await insertFork(tx, sessionId, source) : await insertRun(tx, sessionId)
  await notifyRuns(tx)
  await record(tx, 'runs.create', `run:${id}`, source ? { fromRunId: source.runId, fromSeq: source.seq } : {})
  const data = source ? { runId: id, fromRunId: source.runId, fromSeq: source.seq } : { runId: id }
  await appendEvents(tx, sessionId, id, [{ type: 'run_created', nodeId: null, data }])
  return id
}

/** A new run that waits for a slot. */
export async function createRun(tx: TenantQueries, sessionId: string, triggerId?: string): Promise<string> {
  const id = await insertRun(tx, sessionId, triggerId)
  await notifyRuns(tx)
  return id
}

/** Locks the run for the rest of the transaction; every deed that concerns a run begins with it. */
export async function lockedRun(tx: TenantQueries, id: string): Promise<RunRow> {
  const run = await lockRun(tx, id)
  if (!run) throw notFound('run')
  return run
}

/** The same for the newest run of a session. */
export async function lockedRunOfSession(tx: TenantQueries, sessionId: string): Promise<RunRow> {
  const run = await lockRunOfSession(tx, sessionId)
  if (!run) throw notFound('session')
  return run
}

/**
 * What the run waited for has come: it goes back into the queue, or its worker hears of it while other branches are
 * busy. A run that a person paused stays paused.
 */
export async function wakeRun(tx: TenantQueries, run: RunRow, now: Date): Promise<void> {
  if (run.status === 'waiting') await requeue(tx, run.id, now)
  else if (run.status === 'running') await notifyAnswers(tx)
}

async function requeue(tx: TenantQueries, id: string, now: Date): Promise<void> {
  await updateRun(tx, id, { status: 'queued', queued_at: now, requested: null })
  await notifyRuns(tx)
}

/** At once when no worker holds the run, else at the end of its step. Throws `conflict` for a run that has ended. */
export async function pauseRun(tx: TenantQueries, sessionId: string): Promise<void> {
  const run = await runToChange(tx, sessionId)
  if (run.status === 'running') await request(tx, run.id, 'pause')
  else if (run.status !== 'paused') {
    await updateRun(tx, run.id, { status: 'paused' })
    await appendEvents(tx, sessionId, run.id, [{ type: 'execution_paused', nodeId: run.current_node, data: {} }])
  }
  await record(tx, 'runs.pause', `run:${run.id}`)
}

/** Throws `conflict` unless the run is paused, or about to be. */
export async function resumeRun(tx: TenantQueries, sessionId: string, now: Date): Promise<void> {
  const run = await runToChange(tx, sessionId)
  if (run.status === 'running' && run.requested === 'pause') await updateRun(tx, run.id, { requested: null })
  else if (run.status === 'paused') {
    await requeue(tx, run.id, now)
    await appendEvents(tx, sessionId, run.id, [{ type: 'execution_resumed', nodeId: run.current_node, data: {} }])
  } else throw new AppError('conflict', `the run is ${run.status}, not paused`)
  await record(tx, 'runs.resume', `run:${run.id}`)
}

/**
 * At once when no worker holds the run, else within the worker's next heartbeat. Throws `conflict` for a run that has ended.
 * @returns the run's id and whether it has ended now
 */
export async function cancelRun(
  tx: TenantQueries,
  sessionId: string,
  now: Date,
): Promise<{ id: string; ended: boolean }> {
  const run = await runToChange(tx, sessionId)
  await record(tx, 'runs.cancel', `run:${run.id}`)
  if (run.status === 'running') {
    await request(tx, run.id, 'cancel')
    return { id: run.id, ended: false }
  }
  await updateRun(tx, run.id, { status: 'cancelled', finished_at: now, requested: null })
  await failOpenSteps(tx, run.id, cancelled)
  await appendEvents(tx, sessionId, run.id, [{ type: 'execution_cancelled', nodeId: run.current_node, data: {} }])
  return { id: run.id, ended: true }
}

async function runToChange(tx: TenantQueries, sessionId: string): Promise<RunRow> {
  const run = await lockedRunOfSession(tx, sessionId)
  if (ended.includes(run.status)) throw new AppError('conflict', `the run has ended: it is ${run.status}`)
  return run
}

export function toRun(row: Omit<RunRow, 'session_id' | 'requested' | 'created_by'>): Run {
  return {
    id: row.id,
    status: row.status as RunStatus,
    currentNode: row.current_node,
    error: row.error as Run['error'],
    score: row.score,
    forkedFrom: row.forked_from_run ? { runId: row.forked_from_run, seq: row.forked_from_seq! } : null,
    queuedAt: row.queued_at.toISOString(),
    startedAt: row.started_at?.toISOString() ?? null,
    finishedAt: row.finished_at?.toISOString() ?? null,
  }
}

function toStep(row: Awaited<ReturnType<typeof listStepRows>>[number]): Step {
  return {
    step: row.step,
    nodeId: row.node_id,
    attempt: row.attempt,
    status: row.status as Step['status'],
    error: row.error as Step['error'],
    startedAt: row.started_at.toISOString(),
    finishedAt: row.finished_at?.toISOString() ?? null,
  }
}
