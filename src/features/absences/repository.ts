import { sql } from 'kysely'
import { prepare } from '../../db/prepared.ts'
import type { TenantQueries } from '../../db/queries.ts'

const columns = ['user_id', 'delegate_id', 'starts_at', 'ends_at', 'created_at'] as const

export const findRow = prepare<{ userId: string }>()((db, value) =>
  db.selectFrom('absences').select(columns).where('user_id', '=', value.userId),
)

export async function deleteRow(tx: TenantQueries, userId: string) {
  return await tx.deleteFrom('absences').where('user_id', '=', userId).returning(columns).executeTakeFirst()
}

/** The absent person is whoever acts. Gives nothing when they say so twice at the same moment. */
export async function insertRow(tx: TenantQueries, row: { delegate_id: string; starts_at: string; ends_at: string }) {
  const insert = tx
    .insertInto('absences')
    .values(row)
    .onConflict((at) => at.doNothing())
  return await insert.returning(columns).executeTakeFirst()
}

/** What there is to know of a delegate, and of the time, which is the database's. */
export async function findMember(tx: TenantQueries, userId: string) {
  return await tx
    .selectFrom('memberships')
    .select(['roles', 'kind', 'status', sql<Date>`now()`.as('now')])
    .where('user_id', '=', userId)
    .executeTakeFirst()
}
