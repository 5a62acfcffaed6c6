import { preparePage } from '../../db/prepared.ts'
import type { TenantQueries } from '../../db/queries.ts'

export const listEntries = preparePage()(
  'occurred_at',
  (db) =>
    db.selectFrom('audit_entries').select(['id', 'actor', 'action', 'resource', 'outcome', 'details', 'occurred_at']),
  {},
)

/** The actor, the tenant and the time are filled in by the database. */
export async function insertEntry(
  queries: TenantQueries,
  { action, resource, details }: { action: string; resource: string; details: object },
): Promise<void> {
  await queries
    .insertInto('audit_entries')
    .values({ action, resource, details: JSON.stringify(details) })
    .execute()
}
