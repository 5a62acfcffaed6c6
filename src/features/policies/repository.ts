import { sql } from 'kysely'
import { prepare, preparePage } from '../../db/prepared.ts'
import type { TenantQueries } from '../../db/queries.ts'

const columns = ['id', 'name', 'policy', 'created_at', 'updated_at', 'updated_by'] as const

export const listRows = preparePage()('created_at', (db) => db.selectFrom('approval_policies').select(columns), {})

export const findRow = prepare<{ name: string }>()((db, value) =>
  db.selectFrom('approval_policies').select(columns).where('name', '=', value.name),
)

export const countRows = prepare()((db) =>
  db.selectFrom('approval_policies').select((is) => is.fn.countAll<string>().as('count')),
)

export async function writeRow(tx: TenantQueries, name: string, policy: object) {
  return await tx
    .insertInto('approval_policies')
    .values({ name, policy: JSON.stringify(policy) })
    .onConflict((at) =>
      at.columns(['tenant_id', 'name']).doUpdateSet((row) => ({
        policy: row.ref('excluded.policy'),
        updated_at: sql<Date>`now()`,
        updated_by: sql<string>`app.actor()`,
      })),
    )
    .returning(columns)
    .executeTakeFirstOrThrow()
}

export async function deleteRow(tx: TenantQueries, name: string) {
  return await tx.deleteFrom('approval_policies').where('name', '=', name).returning(columns).executeTakeFirst()
}

/** Those of the ids that belong to people who are members now. */
export async function membersAmong(tx: TenantQueries, ids: readonly string[]): Promise<Set<string>> {
  const rows = await tx
    .selectFrom('memberships')
    .select('user_id')
    .where('user_id', 'in', [...ids])
    .where('status', '=', 'active')
    .where('kind', '=', 'user')
    .execute()
  return new Set(rows.map((row) => row.user_id))
}

export const findSettings = prepare()((db) =>
  db.selectFrom('approval_settings').select(['approve_on_expiry', 'updated_at', 'updated_by']),
)

export async function writeSettings(tx: TenantQueries, approveOnExpiry: boolean): Promise<void> {
  await tx
    .insertInto('approval_settings')
    .values({ approve_on_expiry: approveOnExpiry })
    .onConflict((at) =>
      at.columns(['tenant_id']).doUpdateSet({
        approve_on_expiry: approveOnExpiry,
        updated_at: sql<Date>`now()`,
        updated_by: sql<string>`app.actor()`,
      }),
    )
    .execute()
}
