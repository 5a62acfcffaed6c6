import { sql } from 'kysely'
import { prepare, preparePage } from '../../db/prepared.ts'
import type { TenantQueries } from '../../db/queries.ts'

const endpointColumns = [
  'id',
  'url',
  'events',
  'enabled',
  'disabled_reason',
  'failing_since',
  'created_at',
  'created_by',
] as const

export const listEndpointRows = preparePage()(
  'created_at',
  (db) => db.selectFrom('notification_endpoints').select(endpointColumns),
  {},
)

export const findEndpointRow = prepare<{ id: string }>()((db, value) =>
  db.selectFrom('notification_endpoints').select(endpointColumns).where('id', '=', value.id),
)

/** Waits for whoever else enables endpoints of this tenant, so that their number holds. */
export async function lockEnabled(tx: TenantQueries, tenantId: string): Promise<number> {
  await sql`select pg_advisory_xact_lock(hashtextextended(${`endpoints ${tenantId}`}, 0))`.execute(tx)
  const { count } = await tx
    .selectFrom('notification_endpoints')
    .select((is) => is.fn.countAll<string>().as('count'))
    .where('enabled', '=', true)
    .executeTakeFirstOrThrow()
  return Number(count)
}

export async function insertEndpoint(
  tx: TenantQueries,
  row: { url: string; events: string[]; secret_id: string; secret: Buffer },
) {
  return await tx.insertInto('notification_endpoints').values(row).returning(endpointColumns).executeTakeFirstOrThrow()
}

export async function updateEndpoint(
  tx: TenantQueries,
  id: string,
  change: {
    url?: string
    events?: string[]
    enabled?: boolean
    disabled_reason?: string | null
    failing_since?: null
    secret_id?: string
    secret?: Buffer
  },
) {
  const update = tx.updateTable('notification_endpoints').set(change).where('id', '=', id)
  return await update.returning(endpointColumns).executeTakeFirst()
}

export async function deleteEndpointRow(tx: TenantQueries, id: string) {
  const deletion = tx.deleteFrom('notification_endpoints').where('id', '=', id)
  return await deletion.returning(endpointColumns).executeTakeFirst()
}

const deliveryColumns = [
  'id',
  'endpoint_id',
  'user_id',
  'type',
  'status',
  'attempts',
  'due_at',
  'response_status',
  'error',
  'created_at',
  'finished_at',
] as const

export const listDeliveryRows = preparePage<{ endpointId: string | undefined; status: string | undefined }>()(
  'created_at',
  (db) => db.selectFrom('notification_deliveries').select(deliveryColumns),
  {
    endpointId: (query, value) => query.where('endpoint_id', '=', value),
    status: (query, value) => query.where('status', '=', value),
  },
)

/** Something to deliver to one endpoint only. Workers hear of it when the transaction ends. */
export async function insertTest(tx: TenantQueries, endpointId: string) {
  const row = { endpoint_id: endpointId, type: 'endpoint.test', data: '{}' }
  const inserted = tx.insertInto('notification_deliveries').values(row).returning(deliveryColumns)
  const delivery = await inserted.executeTakeFirstOrThrow()
  await sql`select app.notify_change('deliveries')`.execute(tx)
  return delivery
}

export const findPreferences = prepare<{ userId: string }>()((db, value) =>
  db.selectFrom('notification_preferences').select('mail').where('user_id', '=', value.userId),
)

/** Of whoever acts. */
export async function writePreferences(tx: TenantQueries, mail: boolean): Promise<void> {
  await tx
    .insertInto('notification_preferences')
    .values({ mail })
    .onConflict((at) => at.columns(['tenant_id', 'user_id']).doUpdateSet({ mail }))
    .execute()
}
