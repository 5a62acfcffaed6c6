import { sql } from 'kysely'
import { prepare, preparePage } from '../../db/prepared.ts'
import type { TenantQueries } from '../../db/queries.ts'

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
  'agents.name as agent',
] as const

export const listRows = preparePage<{ status: string | undefined; sessionId: string | undefined }>()(
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
  },
  'approvals.id',
)

export const findRow = prepare<{ id: string }>()((db, value) =>
  db
    .selectFrom('approvals')
    .innerJoin('sessions', 'sessions.id', 'approvals.session_id')
    .innerJoin('agents', 'agents.id', 'sessions.agent_id')
    .select([...shown, 'approvals.payload', 'approvals.payload_hash', 'approvals.edited'])
    .where('approvals.id', '=', value.id),
)

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
    policy: object | null
  },
): Promise<string | undefined> {
  const inserted = await tx
    .insertInto('approvals')
    .values({ ...row, payload: JSON.stringify(row.payload), policy: row.policy && JSON.stringify(row.policy) })
    .onConflict((conflict) => conflict.columns(['tenant_id', 'run_id', 'call']).doNothing())
    .returning('id')
    .executeTakeFirst()
  return inserted?.id
}

export function lockRow(tx: TenantQueries, id: string) {
  return tx
    .selectFrom('approvals')
    .select(['id', 'session_id', 'run_id', 'node_id', 'status', 'payload', 'payload_hash', 'policy'])
    .where('id', '=', id)
    .forUpdate()
    .executeTakeFirst()
}

export async function writeDecision(
  tx: TenantQueries,
  id: string,
  decision: { status: string; edited: unknown; reason: string; decided_at: Date },
): Promise<void> {
  const edited = decision.edited === undefined ? null : JSON.stringify(decision.edited)
  await tx
    .updateTable('approvals')
    .set({ ...decision, edited, decided_by: sql<string>`app.actor()` })
    .where('id', '=', id)
    .execute()
}

export async function withdrawRows(tx: TenantQueries, runId: string): Promise<void> {
  await tx
    .updateTable('approvals')
    .set({ status: 'withdrawn' })
    .where('run_id', '=', runId)
    .where('status', '=', 'pending')
    .execute()
}

/** The deciding person's roles as the membership row has them now. */
export async function rolesOf(tx: TenantQueries, userId: string): Promise<string[]> {
  const row = await tx.selectFrom('memberships').select('roles').where('user_id', '=', userId).executeTakeFirst()
  return row?.roles ?? []
}

/** The answers that a run has got, with the deciding person's name as this organization knows it. */
export const listDecisions = prepare<{ runId: string }>()((db, value) =>
  db
    .selectFrom('approvals')
    .leftJoin('users', (join) =>
      join.on('users.user_id', '=', sql<string>`substring(approvals.decided_by from '[0-9a-f-]{36}$')::uuid`),
    )
    .select([
      'approvals.call',
      'approvals.status',
      'approvals.edited',
      'approvals.reason',
      'approvals.decided_by',
      'approvals.decided_at',
      'users.name',
      'users.email',
    ])
    .where('approvals.run_id', '=', value.runId)
    .where('approvals.decided_at', 'is not', null),
)
