import { prepare, preparePage } from '../../db/prepared.ts'
import type { TenantQueries } from '../../db/queries.ts'

const columns = [
  'reports.id',
  'reports.session_id',
  'reports.run_id',
  'reports.call',
  'reports.title',
  'reports.files',
  'reports.created_at',
  'agents.name as agent',
] as const

export const listRows = preparePage<{ sessionId: string | undefined }>()(
  'reports.created_at',
  (db) =>
    db
      .selectFrom('reports')
      .innerJoin('sessions', 'sessions.id', 'reports.session_id')
      .innerJoin('agents', 'agents.id', 'sessions.agent_id')
      .select(columns),
  { sessionId: (query, value) => query.where('reports.session_id', '=', value) },
  'reports.id',
)

export const findRow = prepare<{ id: string }>()((db, value) =>
  db
    .selectFrom('reports')
    .innerJoin('sessions', 'sessions.id', 'reports.session_id')
    .innerJoin('agents', 'agents.id', 'sessions.agent_id')
    .select(columns)
    .where('reports.id', '=', value.id),
)

/** Writing the same call again changes nothing. */
export async function insertRow(
  tx: TenantQueries,
  report: { session_id: string; run_id: string; call: string; title: string; files: object[] },
): Promise<string | undefined> {
  const row = await tx
    .insertInto('reports')
    .values({ ...report, files: JSON.stringify(report.files) })
    .onConflict((conflict) => conflict.columns(['tenant_id', 'run_id', 'call']).doNothing())
    .returning('id')
    .executeTakeFirst()
  return row?.id
}
