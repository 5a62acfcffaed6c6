import { sql } from 'kysely'
import { prepare, preparePage } from '../../db/prepared.ts'
import type { TenantQueries } from '../../db/queries.ts'
import type { Rules } from '../policies/service.ts'
import { giver, mayAnswer } from './answers.ts'

const shown = [
  'approvals.id',
  'approvals.session_id',
  'approvals.run_id',
  'approvals.node_id',
  'approvals.title',
  'approvals.status',
  'approvals.requested_at',
  'approvals.decided_at',
  'approvals.decided_by',
  'approvals.reason',
  'approvals.expires_at',
  'approvals.stage',
  'approvals.quorum',
  'approvals.escalated_quorum',
  'agents.name as agent',
] as const

/**
 * What somebody may answer now and has not answered yet, nor anybody in the same place. As one value for each row, never
 * a join: so the newest are looked at first, in the index of what is pending, until the page is full.
 */
function assignedTo(userId: string) {
  return sql<boolean>`approvals.status = 'pending' and (approvals.expires_at is null or approvals.expires_at > now())
    and (
      select true from seats_of(${userId}::uuid) seat
       where ${mayAnswer(userId)} and not exists (
         select from approval_decisions given
          where given.approval_id = approvals.id and given.stage = approvals.stage
            and given.stands_for = coalesce(approvals.edited_hash, approvals.payload_hash)
            and (given.actor = 'user:' || ${userId}
                 or coalesce('user:' || given.for_user_id, given.actor) = 'user:' || seat.seat_id)) limit 1)`
}

const asked = [
  'approvals.payload',
  'approvals.payload_hash',
  'approvals.edited',
  'approvals.edited_hash',
  'approvals.policy',
  'approvals.deciders',
  'approvals.escalated_deciders',
  'approvals.not_requester',
  'approvals.requesters',
] as const

export const listRows = preparePage<{
  status: string | undefined
  sessionId: string | undefined
  assignedTo: string | undefined
}>()(
  'approvals.requested_at',
  (db) =>
    db
      .selectFrom('approvals')
      .innerJoin('sessions', 'sessions.id', 'approvals.session_id')
      .innerJoin('agents', 'agents.id', 'sessions.agent_id')
      .select(shown),
  {
    status: (query, value) => query.where('approvals.status', '=', value),
    sessionId: (query, value) => query.where('approvals.session_id', '=', value),
    assignedTo: (query, value) => query.where(assignedTo(value)),
  },
  'approvals.id',
)

export const findRow = prepare<{ id: string }>()((db, value) =>
  db
    .selectFrom('approvals')
    .innerJoin('sessions', 'sessions.id', 'approvals.session_id')
    .innerJoin('agents', 'agents.id', 'sessions.agent_id')
    .select([...shown, ...asked])
    .where('approvals.id', '=', value.id),
)

/** Up to a thousand of each. */
export const countRows = prepare<{ userId: string }>()((db, value) => {
  const pending = db.selectFrom('approvals').select('approvals.id').where('approvals.status', '=', 'pending')
  const counted = (rows: typeof pending, name: string) =>
    db.selectFrom(rows.limit(sql.lit(1000)).as(name)).select((is) => is.fn.countAll<string>().as('count'))
  return db.selectNoFrom([
    counted(pending, 'a').as('pending'),
    counted(pending.where(assignedTo(value.userId)), 'b').as('assigned'),
  ])
})

/** The question of a run's call; asking it again changes nothing. */
export async function insertRow(
  tx: TenantQueries,
  row: {
    session_id: string
    run_id: string
    call: string
    node_id: string
    title: string
    payload: object
    payload_hash: string
  },
  { policy, first, escalated, notRequester, afterMinutes }: Rules,
  requesters: readonly string[],
): Promise<string | undefined> {
  const inserted = await tx
    .insertInto('approvals')
    .values({
      ...row,
      payload: JSON.stringify(row.payload),
      policy: policy && JSON.stringify(policy),
      deciders: [...first.deciders],
      quorum: first.quorum,
      escalated_deciders: escalated && [...escalated.deciders],
      escalated_quorum: escalated?.quorum ?? null,
      not_requester: notRequester,
      requesters: [...requesters],
      expires_at: afterMinutes === null ? null : inMinutes(afterMinutes),
    })
    .onConflict((conflict) => conflict.columns(['tenant_id', 'run_id', 'call']).doNothing())
    .returning('id')
    .executeTakeFirst()
  return inserted?.id
}

/** By the database's clock. */
export function inMinutes(minutes: number) {
  return sql<Date>`now() + ${minutes} * interval '1 minute'`
}

/** The people for whom a session works: who is behind any of its runs, or behind the session that started it, and so on. */
export async function requestersOf(tx: TenantQueries, sessionId: string): Promise<string[]> {
  const { rows } = await sql<{ user_id: string }>`
    with recursive origin (session_id) as (
      select ${sessionId}::uuid
      union
      select up.session_id from origin o join runs r on r.session_id = o.session_id 
        join runs up on up.id = substring(r.created_by from '^run:([0-9a-f-]{36})$')::uuid
    )
    select r.requested_by as user_id from origin o join runs r using (session_id) where r.requested_by is not null
    union
    select t.owner from origin o join runs r using (session_id) join triggers t on t.id = r.trigger_id`.execute(tx)
  return rows.map((row) => row.user_id)
}

export function lockRow(tx: TenantQueries, id: string) {
  return tx
    .selectFrom('approvals')
    .select([
      'id',
      'session_id',
      'run_id',
      'node_id',
      'title',
      'status',
      'stage',
      'quorum',
      'escalated_quorum',
      'expires_at',
      ...asked,
    ])
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst()
}
/** The question, if it is pending and its time is over. */
export const findDue = prepare<{ id: string }>()((db, value) =>
  db
    .selectFrom('approvals')
    .select('run_id')
    .where('id', '=', value.id)
    .where('status', '=', 'pending')
    .where('expires_at', '<=', sql<Date>`now()`),
)

export type ApprovalRow = NonNullable<Awaited<ReturnType<typeof lockRow>>>

/** How it ended. The database says who ended it and when. */
export async function writeEnd(
  tx: TenantQueries,
  id: string,
  end: { status: 'approved' | 'edited' | 'rejected'; reason: string; decisive: string[] },
): Promise<void> {
  await tx
    .updateTable('approvals')
    .set({ ...end, decided_at: sql<Date>`now()`, decided_by: sql<string>`app.actor()` })
    .where('id', '=', id)
    .execute()
}

/** The proposal from now on, which the others must agree to. */
export async function writeEdit(tx: TenantQueries, id: string, edited: unknown, hash: string): Promise<void> {
  await tx
    .updateTable('approvals')
    .set({ edited: JSON.stringify(edited), edited_hash: hash })
    .where('id', '=', id)
    .execute()
}

export async function writeEscalation(tx: TenantQueries, id: string, afterMinutes: number | null): Promise<void> {
  await tx
    .updateTable('approvals')
    .set({ stage: 2, expires_at: afterMinutes === null ? null : inMinutes(afterMinutes) })
    .where('id', '=', id)
    .execute()
}

/** Every open question of a run, or those of these calls. */
export async function withdrawRows(tx: TenantQueries, runId: string, calls?: readonly string[]): Promise<void> {
  await tx
    .updateTable('approvals')
    .set({ status: 'withdrawn' })
    .where('run_id', '=', runId)
    .where('status', '=', 'pending')
    .$if(calls !== undefined, (update) => update.where('call', 'in', calls ?? []))
    .execute()
}

/** The answered questions of a run, one row for each answer that made them so, with names as this organization knows them. */
export const listDecisions = prepare<{ runId: string }>()((db, value) =>
  db
    .selectFrom('approvals')
    .innerJoin('approval_decisions as given', (join) =>
      join.onRef('given.approval_id', '=', 'approvals.id').on(sql<boolean>`given.id = any (approvals.decisive)`),
    )
    .leftJoin('users as person', (join) => join.on('person.user_id', '=', giver))
    .leftJoin('users as absent', 'absent.user_id', 'given.for_user_id')
    .select([
      'approvals.call',
      'approvals.status',
      'approvals.edited',
      'approvals.reason',
      'approvals.decided_at',
      'given.actor',
      'given.for_user_id',
      'person.name',
      'person.email',
      'absent.name as absent_name',
      'absent.email as absent_email',
    ])
    .where('approvals.run_id', '=', value.runId)
    .where('approvals.decided_at', 'is not', null)
    .orderBy('given.decided_at')
    .orderBy('given.id'),
)
