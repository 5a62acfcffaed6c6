import { sql } from 'kysely'
import type { TenantQueries } from '../../db/queries.ts'

/** Longest value that is given whole, as JSON text. */
const mostCharacters = 4000
const mostKeys = 50

/** What a run remembers at its end, by key: the first 50 keys, each with its value, or null where that is too long. */
export async function resultsOf(queries: TenantQueries, runId: string): Promise<Record<string, unknown>> {
  const { rows } = await sql<{ key: string; value: unknown }>`
    select distinct on (m.key) m.key, case when length(m.value::text) <= ${mostCharacters}::int then m.value end as value
      from run_memory m where m.run_id = ${runId} and m.key not like '$%'
     order by m.key, m.seq desc limit ${mostKeys}::int`.execute(queries)
  return Object.fromEntries(rows.map(({ key, value }) => [key, value]))
}
