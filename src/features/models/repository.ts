import { type ExpressionBuilder, sql } from 'kysely'
import { prepare } from '../../db/prepared.ts'
import type { TenantQueries } from '../../db/queries.ts'
import type { Tables } from '../../db/tables.ts'

const columns = [
  'purpose',
  'provider',
  'model',
  'base_url',
  'credential',
  'credential_key',
  'temperature',
  'max_tokens',
  'timeout_ms',
  'input_price',
  'output_price',
  'fallbacks',
  'created_at',
  'created_by',
  'updated_at',
] as const

export const maxPurposes = 50

export const listRows = prepare<object>()((db) =>
  db.selectFrom('model_settings').select(columns).orderBy('purpose').limit(sql.lit(50)),
)

export const findRow = prepare<{ purpose: string }>()((db, value) =>
  db.selectFrom('model_settings').select(columns).where('purpose', '=', value.purpose),
)

/** The settings of a purpose and of "default", with those that either falls back to. */
export const findServing = prepare<{ purpose: string }>()((db, value) => {
  const serving = (is: ExpressionBuilder<Tables, 'model_settings'>) =>
    is.or([is('purpose', '=', value.purpose), is('purpose', '=', 'default')])
  return db
    .selectFrom('model_settings')
    .select(columns)
    .where((is) =>
      is.or([
        serving(is),
        is('purpose', 'in', (nested) =>
          nested.selectFrom('model_settings').select(sql<string>`unnest(fallbacks)`.as('name')).where(serving),
        ),
      ]),
    )
})

/** Which of these purposes have settings. */
export async function knownOf(queries: TenantQueries, purposes: readonly string[]): Promise<Set<string>> {
  const rows = await queries.selectFrom('model_settings').select('purpose').where('purpose', 'in', purposes).execute()
  return new Set(rows.map((row) => row.purpose))
}

export async function countRows(queries: TenantQueries): Promise<number> {
  const { count } = await queries
    .selectFrom('model_settings')
    .select((is) => is.fn.countAll<string>().as('count'))
    .executeTakeFirstOrThrow()
  return Number(count)
}

export type ModelRow = Awaited<ReturnType<typeof listRows>>[number]

export type ModelChange = Omit<ModelRow, 'purpose' | 'created_at' | 'created_by' | 'updated_at'>

export async function upsertRow(tx: TenantQueries, purpose: string, change: ModelChange): Promise<void> {
  await tx
    .insertInto('model_settings')
    .values({ purpose, ...change })
    .onConflict((at) => at.columns(['tenant_id', 'purpose']).doUpdateSet({ ...change, updated_at: sql`now()` }))
    .execute()
}

export async function deleteRow(tx: TenantQueries, purpose: string): Promise<ModelRow | undefined> {
  return await tx.deleteFrom('model_settings').where('purpose', '=', purpose).returning(columns).executeTakeFirst()
}
