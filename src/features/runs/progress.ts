import { type RawBuilder, sql } from 'kysely'
import type { TenantQueries } from '../../db/queries.ts'
import type { EngineEvent, Memory, RunState, StepRecord, Transition } from '../../engine/machine.ts'
import { notFound } from '../../errors.ts'
import type { TenantContext } from '../../tenancy/context.ts'
import { appendEvents, notifyRuns } from './repository.ts'
import type { CheckpointKind } from './schema.ts'
import { sizeOf, sizeOfColumn } from './size.ts'

/** What a worker reads and writes of a run that it holds. Everything here runs behind app.enter_run. */
export type RunTenant = TenantContext<'runs:advance'>

export interface RunKey {
  readonly runId: string
  readonly sessionId: string
}

/** A run as its last checkpoint left it. */
export interface LoadedRun {
  readonly seq: number
  /** Null before the first transition. */
  readonly state: RunState | null
  readonly memory: Memory
  /** What each key's value takes up, as size.ts estimates it. */
  readonly sizes: Readonly<Record<string, number>>
  /** ISO 8601: when the checkpoint was written, or the run was queued. Repeated effects see the same time again. */
  readonly at: string
  readonly requested: Requested
  /** How often a worker fell silent since the last checkpoint. */
  readonly takeovers: number
  /** In the hands of workers, until the last checkpoint. */
  readonly workedMs: number
  readonly digest: string
  readonly entryPoint: string | null
  readonly input: Record<string, unknown>
  readonly files: readonly { readonly name: string; readonly sha256: string }[]
}

export type Requested = 'pause' | 'cancel' | null

/** How a run was left. `running` although it wants to wait: something was requested, and it is still held. */
export interface Left {
  readonly at: string
  readonly status: string
  readonly requested: Requested
}

export interface Recorded extends Left {
  /** Of what was written. */
  readonly sizes: Readonly<Record<string, number>>
}

/** Everything that is needed to go on from the last checkpoint. Throws `conflict` when another worker has the run. */
export async function loadRun(tenant: RunTenant, { runId, sessionId }: RunKey): Promise<LoadedRun> {
  return await tenant.transaction(async (tx) => {
    const [run, memory, session, files] = await Promise.all([
      tx
        .selectFrom('runs')
        .leftJoin('checkpoints', (join) =>
          join.onRef('checkpoints.run_id', '=', 'runs.id').onRef('checkpoints.seq', '=', 'runs.seq'),
        )
        .select([
          'runs.seq',
          'runs.requested',
          'runs.takeovers',
          'runs.worked_ms',
          'runs.queued_at',
          'checkpoints.state',
          'checkpoints.created_at',
        ])
        .where('runs.id', '=', runId)
        .executeTakeFirst(),
      latestMemory(runId).execute(tx),
      tx
        .selectFrom('sessions')
        .innerJoin('agent_versions', 'agent_versions.id', 'sessions.agent_version_id')
        .select(['sessions.input', 'sessions.entry_point', 'agent_versions.digest'])
        .where('sessions.id', '=', sessionId)
        .executeTakeFirst(),
      tx.selectFrom('session_files').select(['name', 'sha256']).where('session_id', '=', sessionId).execute(),
    ])
    if (!run || !session) throw notFound('run')
    return {
      seq: run.seq,
      state: run.state as RunState | null,
      memory: Object.fromEntries(memory.rows.map((row) => [row.key, row.value])),
      sizes: Object.fromEntries(memory.rows.map((row) => [row.key, row.size])),
      at: (run.created_at ?? run.queued_at).toISOString(),
      requested: run.requested as Requested,
      takeovers: run.takeovers,
      workedMs: Number(run.worked_ms),
      digest: session.digest,
      entryPoint: session.entry_point,
      input: session.input as Record<string, unknown>,
      files,
    }
  })
}

function latestMemory(runId: string): RawBuilder<{ key: string; value: unknown; size: number }> {
  return sql`select m.key, m.value, ${sizeOfColumn(sql`m.value`)} as size from run_memory m
              where m.run_id = ${runId}
                and m.seq = (select max(l.seq) from run_memory l where l.run_id = m.run_id and l.key = m.key)`
}

/** What goes into a transition's transaction beside its own rows. */
export interface Beside {
  /** Gives the events that tell of all of it, in order. */
  readonly also: (tx: TenantQueries) => Promise<readonly EngineEvent[]>
  /** Whether an answer that the run would wait for is there already: then it stays running, and its worker takes it. */
  readonly answered: (tx: TenantQueries) => Promise<boolean>
  /** Since the last checkpoint. */
  readonly workedMs: number
}

/**
 * Writes a transition as checkpoint `seq`: all of it or nothing, and nothing (`conflict`) once another worker has the
 * run. A run on which something was requested, or whose question was answered meanwhile, does not begin to wait: it
 * stays running, so that its worker can see to it.
 */
export async function recordTransition(
  tenant: RunTenant,
  run: RunKey,
  seq: number,
  transition: Transition,
  { also, answered, workedMs }: Beside,
): Promise<Recorded> {
  const { state, writes, steps, error, score } = transition
  const node = steps.at(-1)?.nodeId ?? null
  return await tenant.transaction(async (tx) => {
    // Whoever answers locks the run first, as this transaction has: no answer comes between this look and the wait.
    const goesOn = transition.status === 'waiting' && (await answered(tx))
    const status = goesOn ? 'running' : transition.status
    const update = { seq, status, error: error ?? null, node, workedMs, ...(score === undefined ? {} : { score }) }
    const [left, sizes, events] = await Promise.all([
      moveRun(tx, run, update),
      writeMemory(tx, run, seq, writes),
      also(tx),
      tx
        .insertInto('checkpoints')
        .values({ run_id: run.runId, seq, state: JSON.stringify(state), kind: kindOf(transition), node_id: node })
        .execute(),
      writeSteps(tx, run, seq, steps),
      status === 'running' ? undefined : notifyRuns(tx),
    ])
    await appendEvents(tx, run.sessionId, run.runId, events)
    return { ...left, sizes }
  })
}

/** What a person who looks for a place to go on from knows the checkpoint by. */
function kindOf({ status, steps }: Transition): CheckpointKind {
  if (status === 'waiting') return 'human_approval'
  const ended = (step: StepRecord) => step.status === 'completed' || step.status === 'failed'
  if (steps.some(ended)) return 'node_complete'
  return steps.length > 0 ? 'node_start' : 'loop_iteration'
}

interface Update {
  readonly seq?: number
  readonly status: Transition['status'] | 'cancelled'
  readonly error: { code: string; message: string } | null
  /** Where the run is now; null leaves what was written before. */
  readonly node: string | null
  readonly workedMs?: number
  readonly score?: number | null
}

/** Changes the row of a held run. A wait is only begun when nothing was requested. */
export async function moveRun(
  tx: TenantQueries,
  { runId }: RunKey,
  { seq, status, error, node, workedMs = 0, score }: Update,
): Promise<Left> {
  const asked =
    status === 'waiting' ? sql<string>`case when requested is null then 'waiting' else 'running' end` : status
  const row = await tx
    .updateTable('runs')
    .set({
      status: asked,
      error: error && JSON.stringify(error),
      worked_ms: sql<string>`worked_ms + ${Math.round(workedMs)}::bigint`,
      ...(score === undefined ? {} : { score }),
      ...(seq === undefined ? {} : { seq, takeovers: 0 }),
      ...(node === null ? {} : { current_node: node }),
      ...(status === 'running' || status === 'waiting' ? {} : { requested: null, finished_at: sql`now()` }),
    })
    .where('id', '=', runId)
    .returning(['status', 'requested', sql<Date>`now()::timestamptz(3)`.as('at')])
    .executeTakeFirstOrThrow()
  return { status: row.status, requested: row.requested as Requested, at: row.at.toISOString() }
}

async function writeMemory(tx: TenantQueries, { runId }: RunKey, seq: number, writes: Memory) {
  const rows = Object.entries(writes).map(([key, value]) => ({
    run_id: runId,
    key,
    seq,
    value: JSON.stringify(value ?? null),
  }))
  if (rows.length > 0) await tx.insertInto('run_memory').values(rows).execute()
  return Object.fromEntries(rows.map(({ key, value }) => [key, sizeOf(value)]))
}

async function writeSteps(
  tx: TenantQueries,
  { runId }: RunKey,
  seq: number,
  steps: readonly StepRecord[],
): Promise<void> {
  if (steps.length === 0) return
  // The last word on each attempt: one statement may not touch a row twice.
  const last = new Map(steps.map((step) => [`${step.step}.${step.attempt}`, step]))
  const rows = [...last.values()].map(({ step, attempt, nodeId, status, error }) => ({
    run_id: runId,
    step,
    attempt,
    node_id: nodeId,
    status,
    error: error ? JSON.stringify(error) : null,
    // What an attempt that begins with this transition reads is what the transitions before, and this one, have written.
    started_seq: seq,
    ...(status === 'completed' || status === 'failed'
      ? { finished_seq: seq, finished_at: sql<Date>`now()` }
      : { finished_seq: null, finished_at: null }),
  }))
  await tx
    .insertInto('run_steps')
    .values(rows)
    .onConflict((at) =>
      at.columns(['tenant_id', 'run_id', 'step', 'attempt']).doUpdateSet((row) => ({
        status: row.ref('excluded.status'),
        error: row.ref('excluded.error'),
        finished_seq: row.ref('excluded.finished_seq'),
        finished_at: row.ref('excluded.finished_at'),
      })),
    )
    .execute()
}
