import { type RawBuilder, sql } from 'kysely'
import { prepare } from '../../db/prepared.ts'
import type { TenantQueries } from '../../db/queries.ts'
import type { EngineEvent, Memory, RunState, StepRecord, Transition } from '../../engine/machine.ts'
import { readState } from '../../engine/stored-state.ts'
import { AppError, notFound } from '../../errors.ts'
import type { TenantContext } from '../../tenancy/context.ts'
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
      state: run.state === null ? null : readState(run.state),
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

/** Of a run's state as JSON, which every transition writes anew: many long conversations side by side. */
const mostStateCharacters = 16 * 1024 * 1024
const tooLarge = new AppError(
  'payload_too_large',
  'the conversations of this run take more than 16 MB together; have fewer side by side, or limit their history',
)

/** What goes with a transition. */
export interface Beside {
  /** What tells of it, in order; or what is done in its transaction, which gives that. */
  readonly events: readonly EngineEvent[] | ((tx: TenantQueries) => Promise<readonly EngineEvent[]>)
  /** Whether an answer that the run would wait for is there already: then it stays running, and its worker takes it. */
  readonly answered: ((tx: TenantQueries) => Promise<boolean>) | null
  /** Since the last checkpoint. */
  readonly workedMs: number
}

/**
 * Writes a transition as checkpoint `seq`: all of it or nothing, and nothing (`conflict`) once another worker has the
 * run. A run on which something was requested, or whose question was answered meanwhile, does not begin to wait: it
 * stays running, so that its worker can see to it. While it is running nobody is told of the events: announce them.
 */
export async function recordTransition(
  tenant: RunTenant,
  run: RunKey,
  seq: number,
  transition: Transition,
  { events, answered, workedMs }: Beside,
): Promise<Recorded> {
  const sizes: Record<string, number> = {}
  const writes = Object.entries(transition.writes).map(([key, value]) => {
    const text = JSON.stringify(value ?? null)
    sizes[key] = sizeOf(text)
    return `${JSON.stringify(key)}:${text}`
  })
  const write = async (queries: TenantQueries, status: string, told: readonly EngineEvent[]) => {
    const change = JSON.stringify({ ...changeOf(transition, workedMs), status })
    if (change.length > mostStateCharacters) throw tooLarge
    const [row] = await writeTransition(queries, {
      ...run,
      seq,
      change,
      writes: `{${writes.join()}}`,
      steps: JSON.stringify(lastWords(transition.steps)),
      events: JSON.stringify(told),
    })
    return { ...leftOf(row!), sizes }
  }
  const { status } = transition
  if (typeof events !== 'function' && !answered) return await write(tenant.rows, status, events)
  return await tenant.transaction(async (tx) => {
    // Whoever answers locks the run first, as this transaction has: no answer comes between this look and the wait.
    const goesOn = status === 'waiting' && (await answered?.(tx))
    return await write(tx, goesOn ? 'running' : status, typeof events === 'function' ? await events(tx) : events)
  })
}

interface LeftRow {
  readonly status: string
  readonly requested: string | null
  readonly at: Date
}

export function leftOf({ status, requested, at }: LeftRow): Left {
  return { status, requested: requested as Requested, at: at.toISOString() }
}

const writeTransition = prepare<
  RunKey & { seq: number; change: string; writes: string; steps: string; events: string }
>()((db, value) =>
  db
    .selectFrom(
      sql<LeftRow>`app.record_transition(${value.runId}::uuid, ${value.sessionId}::uuid, ${value.seq}::integer,
        ${value.change}::jsonb, ${value.writes}::json, ${value.steps}::jsonb, ${value.events}::jsonb)`.as('left'),
    )
    .select(['status', 'requested', 'at']),
)

/** How the row of the run changes, and what its checkpoint says. */
function changeOf({ state, steps, error, score, status }: Transition, workedMs: number) {
  return {
    state,
    kind: kindOf(status, steps),
    error: error ?? null,
    node: steps.at(-1)?.nodeId ?? null,
    workedMs: Math.round(workedMs),
    ...(score === undefined ? {} : { score }),
  }
}

/** What a person who looks for a place to go on from knows the checkpoint by. */
function kindOf(status: Transition['status'], steps: readonly StepRecord[]): CheckpointKind {
  if (status === 'waiting') return 'human_approval'
  const ended = (step: StepRecord) => step.status === 'completed' || step.status === 'failed'
  if (steps.some(ended)) return 'node_complete'
  return steps.length > 0 ? 'node_start' : 'loop_iteration'
}

/** The last record of each attempt: one statement may not touch a row twice. */
function lastWords(steps: readonly StepRecord[]): StepRecord[] {
  return [...new Map(steps.map((step) => [`${step.step}.${step.attempt}`, step])).values()]
}
