import { sql } from 'kysely'
import type { TenantQueries } from '../../db/queries.ts'

/**
 * Takes the right to one call of a model from the tenant's rate, which all its runs share, in whatever process.
 * @returns after how many milliseconds the call may go out; more than `patienceMs` means that nothing was taken
 */
export async function takeCall(queries: TenantQueries, patienceMs: number): Promise<number> {
  const { rows } = await sql<{ wait: number }>`select app.take_model_call(${patienceMs}::integer) as wait`.execute(
    queries,
  )
  return rows[0]!.wait
}
