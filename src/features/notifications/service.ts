import { randomUUID } from 'node:crypto'
import type { Static } from 'typebox'
import type { TenantQueries } from '../../db/queries.ts'
import { AppError, notFound } from '../../errors.ts'
import type { Vault } from '../../providers/vault.ts'
import type { WebhookSender } from '../../providers/webhook-sender.ts'
import { createWebhookSecret } from '../../providers/webhooks.ts'
import type { TenantContext } from '../../tenancy/context.ts'
import { record } from '../audit/service.ts'
import { type PageInput, pageOf, readCursor } from '../pages.ts'
import {
  deleteEndpointRow,
  findEndpointRow,
  findPreferences,
  insertEndpoint,
  insertTest,
  listDeliveryRows,
  listEndpointRows,
  lockEnabled,
  updateEndpoint,
  writePreferences,
} from './repository.ts'
import type {
  Delivery,
  DeliveryList,
  DeliveryStatus,
  Endpoint,
  EndpointCreate,
  EndpointList,
  EndpointPatch,
  EndpointWithSecret,
  NotificationPreferences,
  NotificationType,
} from './schema.ts'

type Reader = TenantContext<'notifications:read'>
type Writer = TenantContext<'notifications:read' | 'notifications:write'>
type Outside = { readonly vault: Vault; readonly webhooks: WebhookSender }

/** Every event of a tenant is sent once to each. */
const mostEnabled = 20

/** What the vault binds a secret to. */
export function aboutSecret(secretId: string): string {
  return `webhook-secret:${secretId}`
}

export async function listEndpoints(
  tenant: Reader,
  { limit = 20, cursor }: PageInput,
): Promise<Static<typeof EndpointList>> {
  const rows = await listEndpointRows(tenant.rows, limit, readCursor(tenant.tenantId, cursor), {})
  return pageOf(tenant.tenantId, rows, limit, (row) => ({ time: row.created_at, id: row.id }), toEndpoint)
}

export async function getEndpoint(tenant: Reader, id: string): Promise<Endpoint> {
  return toEndpoint(found((await findEndpointRow(tenant.rows, { id }))[0]))
}

/** Shows the secret, once. Throws input_invalid and egress_refused for the address, conflict when there are too many. */
export async function createEndpoint(
  { vault, webhooks }: Outside,
  tenant: Writer,
  { url, events }: EndpointCreate,
): Promise<EndpointWithSecret> {
  await webhooks.check(url)
  const { plain, ...sealed } = await newSecret(vault, tenant.tenantId)
  const endpoint = await tenant.transaction(async (tx) => {
    await assertRoom(tx, tenant.tenantId)
    const row = await insertEndpoint(tx, { url, events, ...sealed })
    await record(tx, 'notifications.create', `notification-endpoint:${row.id}`, { events })
    return toEndpoint(row)
  })
  return { ...endpoint, secret: plain }
}

/** Enabling forgets what failed before. Throws as createEndpoint does. */
export async function patchEndpoint(
  { webhooks }: Outside,
  tenant: Writer,
  id: string,
  change: EndpointPatch,
): Promise<Endpoint> {
  const { url, events, enabled } = change
  if (url !== undefined) {
    await getEndpoint(tenant, id)
    await webhooks.check(url)
  }
  return await tenant.transaction(async (tx) => {
    const present = found((await findEndpointRow(tx, { id }))[0])
    if (enabled && !present.enabled) await assertRoom(tx, tenant.tenantId)
    const row = await updateEndpoint(tx, id, {
      ...(url === undefined ? {} : { url }),
      ...(events === undefined ? {} : { events }),
      ...(enabled === undefined ? {} : { enabled, disabled_reason: null, failing_since: null }),
    })
    const details = {
      ...(events ? { events } : {}),
      ...(enabled === undefined ? {} : { enabled }),
      url: url !== undefined,
    }
    await record(tx, 'notifications.update', `notification-endpoint:${id}`, details)
    return toEndpoint(found(row))
  })
}

/** A new secret in place of the old one, which ends at once. Shows it, once. */
export async function renewSecret({ vault }: Outside, tenant: Writer, id: string): Promise<EndpointWithSecret> {
  await getEndpoint(tenant, id)
  const { plain, ...sealed } = await newSecret(vault, tenant.tenantId)
  const endpoint = await tenant.transaction(async (tx) => {
    const row = found(await updateEndpoint(tx, id, sealed))
    await record(tx, 'notifications.renew-secret', `notification-endpoint:${id}`)
    return toEndpoint(row)
  })
  return { ...endpoint, secret: plain }
}

/** @returns what was deleted, its deliveries with it */
export async function deleteEndpoint(tenant: Writer, id: string): Promise<Endpoint> {
  return await tenant.transaction(async (tx) => {
    const row = found(await deleteEndpointRow(tx, id))
    await record(tx, 'notifications.delete', `notification-endpoint:${id}`)
    return toEndpoint(row)
  })
}

/** Sends a message of the type endpoint.test as any other, even while the endpoint is disabled. */
export async function testEndpoint(tenant: Writer, id: string): Promise<Delivery> {
  return await tenant.transaction(async (tx) => {
    found((await findEndpointRow(tx, { id }))[0])
    return toDelivery(await insertTest(tx, id))
  })
}

export async function listDeliveries(
  tenant: Reader,
  query: PageInput & { endpointId?: string | undefined; status?: DeliveryStatus | undefined },
): Promise<Static<typeof DeliveryList>> {
  const { limit = 20, cursor, endpointId, status } = query
  const rows = await listDeliveryRows(tenant.rows, limit, readCursor(tenant.tenantId, cursor), { endpointId, status })
  return pageOf(tenant.tenantId, rows, limit, (row) => ({ time: row.created_at, id: row.id }), toDelivery)
}

export async function getPreferences(tenant: TenantContext<'approvals:read'>): Promise<NotificationPreferences> {
  return { mail: (await findPreferences(tenant.rows, { userId: tenant.userId }))[0]?.mail ?? false }
}

export async function putPreferences(
  tenant: TenantContext<'approvals:read'>,
  { mail }: NotificationPreferences,
): Promise<NotificationPreferences> {
  await tenant.transaction((tx) => writePreferences(tx, mail))
  return { mail }
}

async function newSecret(vault: Vault, tenantId: string) {
  const [plain, secretId] = [createWebhookSecret(), randomUUID()]
  return { plain, secret_id: secretId, secret: await vault.seal(tenantId, aboutSecret(secretId), plain) }
}

async function assertRoom(tx: TenantQueries, tenantId: string): Promise<void> {
  if ((await lockEnabled(tx, tenantId)) >= mostEnabled) {
    throw new AppError('conflict', `at most ${mostEnabled} endpoints can be enabled; disable or delete one first`)
  }
}

function found<T>(row: T | undefined): T {
  if (row === undefined) throw notFound('notification endpoint')
  return row
}

function toEndpoint(row: Awaited<ReturnType<typeof listEndpointRows>>[number]): Endpoint {
  return {
    id: row.id,
    url: row.url,
    events: row.events as NotificationType[],
    enabled: row.enabled,
    disabledReason: row.disabled_reason,
    failingSince: row.failing_since?.toISOString() ?? null,
    createdAt: row.created_at.toISOString(),
    createdBy: row.created_by,
  }
}

function toDelivery(row: Awaited<ReturnType<typeof listDeliveryRows>>[number]): Delivery {
  return {
    id: row.id,
    endpointId: row.endpoint_id,
    userId: row.user_id,
    type: row.type,
    status: row.status as DeliveryStatus,
    attempts: row.attempts,
    nextAttemptAt: row.status === 'pending' ? row.due_at.toISOString() : null,
    responseStatus: row.response_status,
    error: row.error,
    createdAt: row.created_at.toISOString(),
    finishedAt: row.finished_at?.toISOString() ?? null,
  }
}
