import { sql } from 'kysely'
import { prepare } from '../../db/prepared.ts'
import type { TenantQueries } from '../../db/queries.ts'

const columns = [
  'id',
  'session_id',
  'status',
  'requested',
  'current_node',
  'error',
  'queued_at',
  'started_at',
  'finished_at',
  'created_by',
  'score',
  'forked_from_run',
  'forked_from_seq',
] as const

export const findRunRow = prepare<{ id: string }>()((db, value) =>
  db.selectFrom('runs').select(columns).where('id', '=', value.id),
)

export const listStepRows = prepare<{ runId: string }>()((db, value) =>
  db
    .selectFrom('run_steps')
    .select(['step', 'node_id', 'attempt', 'status', 'error', 'started_at', 'finished_at'])
    .where('run_id', '=', value.runId)
    .orderBy('step')
    .orderBy('attempt')
    .limit(sql.lit(1000)),
)

/** Behind `after`, oldest first, at most 200. */
export const listCheckpointRows = prepare<{ runId: string; after: number }>()((db, value) =>
  db
    .selectFrom('checkpoints')
    .select(['seq', 'kind', 'node_id', 'created_at'])
    .where('run_id', '=', value.runId)
    .where('seq', '>', value.after)
    .orderBy('seq')
    .limit(sql.lit(200)),
)

/** Newest first, at most 100. */
export const listRunRows = prepare<{ sessionId: string }>()((db, value) =>
  db
    .selectFrom('runs')
    .select(columns)
    .where('session_id', '=', value.sessionId)
    .orderBy('queued_at', 'desc')
    .orderBy('id', 'desc')
    .limit(sql.lit(100)),
)

export async function insertRun(
  tx: TenantQueries,
  sessionId: string,
  triggerId: string | null = null,
): Promise<string> {
  const row = { session_id: sessionId, trigger_id: triggerId }
  const { id } = await tx.insertInto('runs').values(row).returning('id').executeTakeFirstOrThrow()
  return id
}

/** The session's newest run, locked until the transaction ends. First in the order of locks: run, approval, session. */
export function lockRunOfSession(tx: TenantQueries, sessionId: string) {
  return tx
    .selectFrom('runs')
    .select(columns)
    .where('session_id', '=', sessionId)
    .orderBy('queued_at', 'desc')
    .orderBy('id', 'desc')
    .limit(1)
    .forNoKeyUpdate()
    .executeTakeFirst()
}

export function lockRun(tx: TenantQueries, id: string) {
  return tx.selectFrom('runs').select(columns).where('id', '=', id).forNoKeyUpdate().executeTakeFirst()
}

export async function updateRun(
  tx: TenantQueries,
  id: string,
  change: {
    status?: string
    requested?: 'pause' | 'cancel' | null
    queued_at?: Date
    finished_at?: Date
    worker_id?: null
  },
): Promise<void> {
  await tx.updateTable('runs').set(change).where('id', '=', id).execute()
}

/** Why the open steps of a run end that a person cancels. */
export const cancelled = { code: 'cancelled', message: 'the run was cancelled' }

/** A run that has ended has no step that still runs or waits. */
export async function failOpenSteps(
  tx: TenantQueries,
  runId: string,
  error: { code: string; message: string },
): Promise<void> {
  await tx
    .updateTable('run_steps')
    .set({ status: 'failed', error: JSON.stringify(error), finished_at: sql`now()` })
    .where('run_id', '=', runId)
    .where('status', 'in', ['running', 'waiting'])
    .execute()
}

/** Tells every worker that there is something to take. */
export async function notifyRuns(tx: TenantQueries): Promise<void> {
  await sql`select app.notify_change('runs')`.execute(tx)
}

/** Tells the workers that hold runs of this tenant that a question was answered. */
export async function notifyAnswers(tx: TenantQueries): Promise<void> {
  await sql`select app.notify_change('answers')`.execute(tx)
}

/** Asks something of the worker that holds the run, which obeys at once if it hears this, else at its next heartbeat. */
export async function request(tx: TenantQueries, id: string, requested: 'pause' | 'cancel'): Promise<void> {
  await updateRun(tx, id, { requested })
  await sql`select app.notify_change('requests')`.execute(tx)
}

/** Numbered and announced by the database, under the session's lock. */
export async function appendEvents(
  tx: TenantQueries,
  sessionId: string,
  runId: string | null,
  events: readonly { type: string; nodeId: string | null; data: object }[],
): Promise<void> {
  await sql`select app.append_events(${sessionId}::uuid, ${runId}::uuid, ${JSON.stringify(events)}::jsonb)`.execute(tx)
}

/** Which attempt of a step is being made. */
export async function attemptOf(queries: TenantQueries, runId: string, step: number): Promise<number> {
  const row = await queries
    .selectFrom('run_steps')
    .select((is) => is.fn.max('attempt').as('attempt'))
    .where('run_id', '=', runId)
    .where('step', '=', step)
    .executeTakeFirst()
  return row?.attempt ?? 1
}
