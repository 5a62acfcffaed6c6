import type { Static } from 'typebox'
import type { TenantQueries } from '../../db/queries.ts'
import type { TenantContext } from '../../tenancy/context.ts'
import { type PageInput, pageOf, readCursor } from '../pages.ts'
import { insertEntry, listEntries } from './repository.ts'
import type { AuditEntry, AuditList } from './schema.ts'

/** Writes what was done, in the transaction that does it: no deed without an entry, no entry without the deed. Ids only. */
export function record(tx: TenantQueries, action: string, resource: string, details: object = {}): Promise<void> {
  return insertEntry(tx, { action, resource, details })
}

export async function listAudit(
  tenant: TenantContext<'audit:read'>,
  { limit = 20, cursor }: PageInput,
): Promise<Static<typeof AuditList>> {
  const rows = await listEntries(tenant.rows, limit, readCursor(tenant.tenantId, cursor), {})
  return pageOf(tenant.tenantId, rows, limit, (row) => ({ time: row.occurred_at, id: row.id }), toEntry)
}

function toEntry(row: Awaited<ReturnType<typeof listEntries>>[number]): AuditEntry {
  const { id, actor, action, resource, outcome, details, occurred_at } = row
  return {
    id,
    actor,
    action,
    resource,
    outcome: outcome as AuditEntry['outcome'],
    details: details as AuditEntry['details'],
    occurredAt: occurred_at.toISOString(),
  }
}
