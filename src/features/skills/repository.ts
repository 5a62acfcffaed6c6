import { sql } from 'kysely'
import { prepare, preparePage } from '../../db/prepared.ts'
import type { TenantQueries } from '../../db/queries.ts'

const columns = ['id', 'name', 'description', 'created_at', 'created_by'] as const

export const listRows = preparePage()('created_at', (db) => db.selectFrom('skills').select(columns), {})

export const findRow = prepare<{ name: string }>()((db, value) =>
  db.selectFrom('skills').select(columns).select('text').where('name', '=', value.name),
)

/** Names and descriptions of those of these skills that there are, by name. */
export async function findDescriptions(queries: TenantQueries, names: readonly string[]) {
  return await queries
    .selectFrom('skills')
    .select(['name', 'description'])
    .where('name', 'in', names)
    .orderBy('name')
    .limit(sql.lit(100))
    .execute()
}

export async function saveRow(
  tx: TenantQueries,
  skill: { name: string; description: string; text: string },
): Promise<string> {
  const { description, text } = skill
  const { id } = await tx
    .insertInto('skills')
    .values(skill)
    .onConflict((conflict) => conflict.columns(['tenant_id', 'name']).doUpdateSet({ description, text }))
    .returning('id')
    .executeTakeFirstOrThrow()
  return id
}

export async function deleteRow(tx: TenantQueries, name: string): Promise<string | undefined> {
  const row = await tx.deleteFrom('skills').where('name', '=', name).returning('id').executeTakeFirst()
  return row?.id
}

export async function countRows(tx: TenantQueries): Promise<number> {
  const { count } = await tx
    .selectFrom('skills')
    .select((eb) => eb.fn.countAll<string>().as('count'))
    .executeTakeFirstOrThrow()
  return Number(count)
}
