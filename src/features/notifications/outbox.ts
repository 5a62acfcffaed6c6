import { sql } from 'kysely'
import type { TenantQueries } from '../../db/queries.ts'
import type { TenantContext } from '../../tenancy/context.ts'
import { record } from '../audit/service.ts'

// What a worker reads and writes of a delivery that app.take_deliveries gave it.

type Job = TenantContext<'jobs:run'>

/** Waits before the second attempt and those behind it, in seconds: about 28 hours in all. */
const waits = [5, 300, 1800, 7200, 18_000, 36_000, 36_000]
/** An endpoint that has failed for this long, without a success in between, is disabled. */
const patienceDays = 3

/** A delivery with what it tells of. */
export interface Outgoing {
  readonly type: string
  readonly data: Readonly<Record<string, string>>
  readonly createdAt: string
  /** What the question is, or the session. */
  readonly title: string | null
  readonly agent: string | null
  readonly endpoint: { id: string; url: string; enabled: boolean; secretId: string; secret: Buffer } | null
  /** Null for somebody who has left, has no address, or wants no mail any more. */
  readonly mailbox: string | null
}

/** What is to be sent; null when it is not this worker's any more. */
export async function loadDelivery(tenant: Job, id: string, attempt: number): Promise<Outgoing | null> {
  return await tenant.transaction(async (tx) => {
    const row = await tx
      .selectFrom('notification_deliveries as d')
      .leftJoin('notification_endpoints as e', 'e.id', 'd.endpoint_id')
      .leftJoin('memberships as m', (join) => join.onRef('m.user_id', '=', 'd.user_id').on('m.status', '=', 'active'))
      .leftJoin('notification_preferences as p', (join) =>
        join.onRef('p.user_id', '=', 'm.user_id').on('p.mail', '=', true),
      )
      .leftJoin('users as u', 'u.user_id', 'p.user_id')
      .leftJoin('sessions as s', (join) => join.on(sql<boolean>`s.id = (d.data ->> 'sessionId')::uuid`))
      .leftJoin('agents as a', 'a.id', 's.agent_id')
      .leftJoin('approvals as q', (join) => join.on(sql<boolean>`q.id = (d.data ->> 'approvalId')::uuid`))
      .select(['d.type', 'd.data', 'd.created_at', 's.title as session', 'q.title as question', 'a.name as agent'])
      .select(['e.id as endpoint_id', 'e.url', 'e.enabled', 'e.secret_id', 'e.secret', 'u.email'])
      .where('d.id', '=', id)
      .where('d.status', '=', 'pending')
      .where('d.attempts', '=', attempt)
      .executeTakeFirst()
    if (!row) return null
    const { endpoint_id, url, enabled, secret_id, secret } = row
    return {
      type: row.type,
      data: row.data as Outgoing['data'],
      createdAt: row.created_at.toISOString(),
      title: row.question ?? row.session,
      agent: row.agent,
      endpoint: endpoint_id
        ? { id: endpoint_id, url: url!, enabled: enabled!, secretId: secret_id!, secret: secret! }
        : null,
      mailbox: row.email,
    }
  })
}

/** What came of an attempt. `final`: trying again is no use. `gone`: nor is it for anything else. */
export type Outcome =
  | { readonly ok: true; readonly status: number | null }
  | {
      readonly ok: false
      readonly status: number | null
      readonly error: string
      readonly final?: true
      readonly gone?: true
    }

/** Writes what came of an attempt, unless the delivery is another worker's by now; says when it is tried again. */
export async function recordOutcome(
  tenant: Job,
  delivery: { id: string; attempt: number; endpointId: string | null },
  outcome: Outcome,
): Promise<void> {
  const { id, attempt, endpointId } = delivery
  await tenant.transaction(async (tx) => {
    // First the endpoint, then its deliveries: the order in which it is deleted.
    if (endpointId) await lockEndpoint(tx, endpointId)
    const wait = waits[attempt - 1]
    const again = !outcome.ok && !outcome.final && !outcome.gone && wait !== undefined
    const { numUpdatedRows } = await tx
      .updateTable('notification_deliveries')
      .set({
        taken: false,
        response_status: outcome.status,
        error: outcome.ok ? null : outcome.error.slice(0, 500),
        ...(again
          ? // Apart from one another, so that what failed together does not come back together.
            { due_at: sql<Date>`now() + ${wait} * (0.8 + 0.4 * random()) * interval '1 second'` }
          : { status: outcome.ok ? 'delivered' : 'failed', finished_at: sql<Date>`now()` }),
      })
      .where('id', '=', id)
      .where('status', '=', 'pending')
      .where('attempts', '=', attempt)
      .executeTakeFirstOrThrow()
    if (numUpdatedRows && endpointId) await judgeEndpoint(tx, endpointId, outcome)
  })
}

async function lockEndpoint(tx: TenantQueries, id: string): Promise<void> {
  await tx.selectFrom('notification_endpoints').select('id').where('id', '=', id).forNoKeyUpdate().execute()
}

/** Remembers since when an endpoint fails, and disables one that has failed for long, where its owners see it. */
async function judgeEndpoint(tx: TenantQueries, id: string, outcome: Outcome): Promise<void> {
  const endpoint = tx.updateTable('notification_endpoints').where('id', '=', id)
  if (outcome.ok) {
    await endpoint.set({ failing_since: null }).where('failing_since', 'is not', null).execute()
    return
  }
  if (outcome.final) return
  await endpoint.set({ failing_since: sql<Date>`now()` }).where('failing_since', 'is', null).execute()
  const reason = outcome.gone
    ? 'it answered that it is gone (410)'
    : `it has failed for ${patienceDays} days; the last time: ${outcome.error.slice(0, 200)}`
  const disabled = await endpoint
    .set({ enabled: false, disabled_reason: reason })
    .where('enabled', '=', true)
    .where(
      sql<boolean>`${outcome.gone === true}::boolean or failing_since <= now() - ${patienceDays} * interval '1 day'`,
    )
    .returning('id')
    .executeTakeFirst()
  if (disabled)
    await record(tx, 'notifications.disable', `notification-endpoint:${id}`, { gone: outcome.gone === true })
}
