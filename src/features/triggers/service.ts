import type { Static } from 'typebox'
import type { TenantQueries } from '../../db/queries.ts'
import { AppError, notFound } from '../../errors.ts'
import type { Vault } from '../../providers/vault.ts'
import type { TenantContext } from '../../tenancy/context.ts'
import { startableVersion } from '../agents/service.ts'
import { record } from '../audit/service.ts'
import { type PageInput, pageOf, readCursor } from '../pages.ts'
import { lookAt, toFiring } from './firing.ts'
import {
  deleteRow,
  findRow,
  insertRow,
  listFiringRows,
  listRows,
  lockCount,
  lockRow,
  nameExists,
  notifyTriggers,
  type TriggerRow,
  updateRow,
} from './repository.ts'
import { nextDue, type Schedule, upcoming } from './schedule.ts'
import type {
  FiringList,
  Trigger,
  TriggerCreate,
  TriggerCreated,
  TriggerDetail,
  TriggerList,
  TriggerSecret,
  TriggerUpdate,
} from './schema.ts'
import { newSecret } from './secret.ts'
import { checkSettings, columnsOf, type Kind, settingsIn, settingsOf, suggestedBy } from './settings.ts'

export { fireNow, fireTimer, fireWebhook, postponeTimer } from './firing.ts'
export { aboutSecret } from './secret.ts'

type Reader = TenantContext<'triggers:read'>
type Writer = TenantContext<'triggers:read' | 'triggers:write'>

/** Of one organization. */
export const mostTriggers = 1000

export async function listTriggers(
  tenant: Reader,
  { limit = 20, cursor, agent, kind }: PageInput & { agent?: string | undefined; kind?: Kind | undefined },
): Promise<Static<typeof TriggerList>> {
  const rows = await listRows(tenant.rows, limit, readCursor(tenant.tenantId, cursor), { agent, kind })
  return pageOf(tenant.tenantId, rows, limit, (row) => ({ time: row.created_at, id: row.id }), toTrigger)
}

export async function getTrigger(tenant: Reader, id: string): Promise<TriggerDetail> {
  const [row] = await findRow(tenant.rows, { id })
  if (!row) throw notFound('trigger')
  return toDetail(row)
}

export async function listFirings(
  tenant: Reader,
  triggerId: string,
  { limit = 20, cursor }: PageInput,
): Promise<Static<typeof FiringList>> {
  const rows = await listFiringRows(tenant.rows, limit, readCursor(tenant.tenantId, cursor), { triggerId })
  if (rows.length === 0) await getTrigger(tenant, triggerId)
  return pageOf(tenant.tenantId, rows, limit, (row) => ({ time: row.fired_at, id: row.id }), toFiring)
}

/**
 * Adds an enabled trigger whose owner is the caller; of a webhook, its secret is in the answer. What is left out is what
 * the package suggests for the entry point. Throws input_invalid for
 * what the agent's active version would not take, `conflict` for a name that is there and past the most there may be.
 */
export async function createTrigger(
  vault: Vault,
  tenant: Writer,
  { kind, agent, ...given }: TriggerCreate,
  now: Date,
): Promise<TriggerCreated> {
  const { agentId, manifest } = await startableVersion(tenant.as('triggers:write', 'agents:read'), agent, undefined)
  const settings = settingsOf(kind, { ...suggestedBy(manifest, kind, given.entryPoint), ...given }, null)
  await checkSettings(agent, manifest, settings, now)
  const id = await tenant.transaction(async (tx) => {
    if ((await claimName(tx, tenant, settings.name)) >= mostTriggers)
      throw new AppError('conflict', `the organization has ${mostTriggers} triggers already; delete one first`)
    const made = await insertRow(tx, { ...columnsOf(settings), kind, agent_id: agentId })
    await setDue(tx, await locked(tx, made), settings.run_immediately)
    await record(tx, 'triggers.create', `trigger:${made}`, { kind, agentId })
    return made
  })
  const secret = kind === 'webhook' ? (await newSecret(vault, tenant, id)).secret : null
  return { ...(await getTrigger(tenant, id)), secret }
}

/** Throws as createTrigger does. A timer whose schedule changed begins anew with it, and not at once. */
export async function updateTrigger(
  tenant: Writer,
  id: string,
  given: TriggerUpdate,
  now: Date,
): Promise<TriggerDetail> {
  const { agent } = await getTrigger(tenant, id)
  const { manifest } = await startableVersion(tenant.as('triggers:write', 'agents:read'), agent, undefined)
  await tenant.transaction(async (tx) => {
    const row = await locked(tx, id)
    const settings = settingsOf(row.kind as Kind, given, settingsIn(row))
    await checkSettings(agent, manifest, settings, now)
    if (settings.name !== row.name) await claimName(tx, tenant, settings.name)
    await updateRow(tx, id, columnsOf(settings))
    if (given.schedule || given.jitterSeconds !== undefined) await setDue(tx, await locked(tx, id), false)
    await record(tx, 'triggers.update', `trigger:${id}`, { changed: Object.keys(given) })
  })
  return await getTrigger(tenant, id)
}

/** Throws `conflict` for one whose owner has left: somebody has to adopt it. */
export async function enableTrigger(tenant: Writer, id: string): Promise<TriggerDetail> {
  await tenant.transaction(async (tx) => {
    const row = await locked(tx, id)
    if (row.enabled) return
    if (row.disabled_reason === 'owner_left')
      throw new AppError('conflict', 'the owner of the trigger has left; adopt it to enable it')
    await switchOn(tx, row)
    await record(tx, 'triggers.enable', `trigger:${id}`)
  })
  return await getTrigger(tenant, id)
}

/** Nothing fires from now on; what runs goes on. */
export async function disableTrigger(tenant: Writer, id: string): Promise<TriggerDetail> {
  await tenant.transaction(async (tx) => {
    const row = await locked(tx, id)
    if (!row.enabled) return
    await updateRow(tx, id, { enabled: false, disabled_reason: 'by_request', due_at: null, next_at: null })
    await record(tx, 'triggers.disable', `trigger:${id}`, { reason: 'by_request' })
  })
  return await getTrigger(tenant, id)
}

/** Makes the caller its owner; one that stood still because its owner left goes on. */
export async function adoptTrigger(tenant: Writer, id: string): Promise<TriggerDetail> {
  await tenant.transaction(async (tx) => {
    const row = await locked(tx, id)
    await updateRow(tx, id, { owner: tenant.userId })
    if (row.disabled_reason === 'owner_left') await switchOn(tx, row)
    await record(tx, 'triggers.adopt', `trigger:${id}`, { before: row.owner })
  })
  return await getTrigger(tenant, id)
}

/** With its firings; its sessions stay. @returns what was deleted */
export async function deleteTrigger(tenant: Writer, id: string): Promise<Trigger> {
  return await tenant.transaction(async (tx) => {
    const row = await locked(tx, id)
    await deleteRow(tx, id)
    await record(tx, 'triggers.delete', `trigger:${id}`, { kind: row.kind })
    return toTrigger(row)
  })
}

/** A new secret for a webhook; for a day the one before is taken as well. Throws `conflict` when two do so at once. */
export async function rotateSecret(vault: Vault, tenant: Writer, id: string): Promise<Static<typeof TriggerSecret>> {
  const { kind } = await getTrigger(tenant, id)
  if (kind !== 'webhook') throw new AppError('conflict', `a trigger of kind ${kind} has no secret`)
  return await newSecret(vault, tenant, id)
}

/** Throws `conflict` for a name that is taken. @returns how many triggers there are */
async function claimName(tx: TenantQueries, tenant: Writer, name: string): Promise<number> {
  const count = await lockCount(tx, tenant.tenantId)
  if (await nameExists(tx, name)) throw new AppError('conflict', `there is a trigger of the name ${name} already`)
  return count
}

async function locked(tx: TenantQueries, id: string): Promise<TriggerRow> {
  const row = await lockRow(tx, id)
  if (!row) throw notFound('trigger')
  return row
}

async function switchOn(tx: TenantQueries, { id, run_immediately }: TriggerRow): Promise<void> {
  await updateRow(tx, id, { enabled: true, disabled_reason: null })
  await setDue(tx, await locked(tx, id), run_immediately)
}

/** The first time of a timer that begins now, by the database's clock; every worker is told. */
async function setDue(tx: TenantQueries, row: TriggerRow, immediately: boolean): Promise<void> {
  if (!row.enabled || !row.schedule) return
  const due = immediately ? row.now : nextDue(row.schedule as unknown as Schedule, row.now, row.now)
  const next = immediately ? row.now : due && lookAt(row, due)
  await updateRow(tx, row.id, { due_at: due, next_at: next })
  await notifyTriggers(tx)
}

function toDetail(row: TriggerRow): TriggerDetail {
  const { due_at: due, schedule } = row
  const [, ...later] = due && schedule ? upcoming(schedule as unknown as Schedule, due, 5) : []
  const times = row.next_at ? [row.next_at, ...later.map((one) => lookAt(row, one))] : []
  return {
    ...toTrigger(row),
    upcoming: times.map((time) => time.toISOString()),
    hookPath: row.kind === 'webhook' ? `/v1/hooks/${row.id}` : null,
  }
}

function toTrigger(row: TriggerRow): Trigger {
  return {
    id: row.id,
    name: row.name,
    kind: row.kind as Kind,
    agent: row.agent,
    entryPoint: row.entry_point,
    input: row.input as Trigger['input'],
    payloadKey: row.payload_key,
    schedule: row.schedule as Trigger['schedule'],
    jitterSeconds: row.jitter_seconds,
    runImmediately: row.run_immediately,
    misfire: row.misfire as Trigger['misfire'],
    maxConcurrent: row.max_concurrent,
    enabled: row.enabled,
    disabledReason: row.disabled_reason as Trigger['disabledReason'],
    owner: row.owner,
    nextAt: row.next_at?.toISOString() ?? null,
    lastAt: row.last_at?.toISOString() ?? null,
    lastSessionId: row.last_session_id,
    createdAt: row.created_at.toISOString(),
    createdBy: row.created_by,
  }
}
