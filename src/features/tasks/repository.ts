import { sql } from 'kysely'
import { prepare } from '../../db/prepared.ts'
import type { TenantQueries } from '../../db/queries.ts'

export const listRows = prepare<{ sessionId: string }>()((db, value) =>
  db
    .selectFrom('tasks')
    .select(['key', 'title', 'status', 'detail', 'created_at', 'updated_at'])
    .where('session_id', '=', value.sessionId)
    .orderBy('created_at')
    .orderBy('key')
    .limit(sql.lit(100)),
)

export const findSession = prepare<{ id: string }>()((db, value) =>
  db.selectFrom('sessions').select('id').where('id', '=', value.id),
)

export async function upsertRow(
  tx: TenantQueries,
  row: { session_id: string; key: string; title: string; status: string; detail: string | null },
): Promise<void> {
  await tx
    .insertInto('tasks')
    .values(row)
    .onConflict((at) =>
      at.columns(['tenant_id', 'session_id', 'key']).doUpdateSet((given) => ({
        title: given.ref('excluded.title'),
        status: given.ref('excluded.status'),
        detail: given.ref('excluded.detail'),
        updated_at: sql<Date>`now()`,
      })),
    )
    .execute()
}
