import { sql } from 'kysely'
import { prepare, preparePage } from '../../db/prepared.ts'
import type { TenantQueries } from '../../db/queries.ts'

const shown = [
  'id',
  'session_id',
  'run_id',
  'node_id',
  'prompt',
  'status',
  'asked_at',
  'text',
  'answered_at',
  'answered_by',
] as const

export const listRows = preparePage<{ sessionId: string; status: string | undefined }>()(
  'asked_at',
  (db) => db.selectFrom('messages').select(shown),
  {
    sessionId: (query, value) => query.where('session_id', '=', value),
    status: (query, value) => query.where('status', '=', value),
  },
)

export const findRow = prepare<{ id: string }>()((db, value) =>
  db.selectFrom('messages').select(shown).where('id', '=', value.id),
)

export const findSession = prepare<{ id: string }>()((db, value) =>
  db.selectFrom('sessions').select('id').where('id', '=', value.id),
)

/** The question of a run's call; asking it again changes nothing. */
export async function insertRow(
  tx: TenantQueries,
  row: { session_id: string; run_id: string; call: string; node_id: string; prompt: string },
): Promise<string | undefined> {
  const inserted = await tx
    .insertInto('messages')
    .values(row)
    .onConflict((conflict) => conflict.columns(['tenant_id', 'run_id', 'call']).doNothing())
    .returning('id')
    .executeTakeFirst()
  return inserted?.id
}

/** A question of a run, locked: the named one, or the oldest that nobody has answered. */
export function lockRow(tx: TenantQueries, runId: string, id: string | undefined) {
  const ofRun = tx.selectFrom('messages').select(['id', 'node_id', 'status']).where('run_id', '=', runId)
  const one = id === undefined ? ofRun.where('status', '=', 'pending') : ofRun.where('id', '=', id)
  return one.orderBy('asked_at').orderBy('id').limit(1).forUpdate().executeTakeFirst()
}

export async function writeAnswer(tx: TenantQueries, id: string, text: string, answeredAt: Date): Promise<void> {
  await tx
    .updateTable('messages')
    .set({ status: 'answered', text, answered_at: answeredAt, answered_by: sql<string>`app.actor()` })
    .where('id', '=', id)
    .execute()
}

/** Every open question of a run, or those of these calls. */
export async function withdrawRows(tx: TenantQueries, runId: string, calls?: readonly string[]): Promise<void> {
  await tx
    .updateTable('messages')
    .set({ status: 'withdrawn' })
    .where('run_id', '=', runId)
    .where('status', '=', 'pending')
    .$if(calls !== undefined, (update) => update.where('call', 'in', calls ?? []))
    .execute()
}

/** Whether whoever acts now has given this very answer. */
export async function isAnswered(tx: TenantQueries, id: string, text: string): Promise<boolean> {
  const given = tx
    .selectFrom('messages')
    .select('id')
    .where('id', '=', id)
    .where('text', '=', text)
    .where('answered_by', '=', sql<string>`app.actor()`)
  return (await given.executeTakeFirst()) !== undefined
}

/** The answers that a run has got, with the person's name as this organization knows it. */
export const listAnswers = prepare<{ runId: string }>()((db, value) =>
  db
    .selectFrom('messages')
    .leftJoin('users', (join) =>
      join.on('users.user_id', '=', sql<string>`substring(messages.answered_by from '^user:([0-9a-f-]{36})$')::uuid`),
    )
    .select([
      'messages.call',
      'messages.text',
      'messages.answered_by',
      'messages.answered_at',
      'users.name',
      'users.email',
    ])
    .where('messages.run_id', '=', value.runId)
    .where('messages.status', '=', 'answered')
    .orderBy('messages.answered_at'),
)
