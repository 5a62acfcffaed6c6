import type { TenantQueries } from '../../db/queries.ts'
import { AppError, notFound } from '../../errors.ts'
import type { TenantContext } from '../../tenancy/context.ts'
import { record } from '../audit/service.ts'
import { appendEvents } from '../runs/service.ts'
import { startSession } from '../sessions/service.ts'
import {
  countOpenRuns,
  findFiring,
  findFiringById,
  findRow,
  insertFiring,
  lockRow,
  pruneFirings,
  type TriggerRow,
  updateRow,
} from './repository.ts'
import { jitterMs, type Misfire, planFiring, type Schedule } from './schedule.ts'
import type { Firing } from './schema.ts'

// A firing is one transaction that has the trigger locked: the claim, the session, the row that says so, and the next
// time. Whatever dies in between, all of it happened or none.

/** Whoever fires by a timer or a message: app.enter_trigger has locked the trigger and asked whether it may. */
type Firer = TenantContext<'triggers:fire'>

/** How long it is known what has fired: longer than any sender repeats a message. */
const kept = '30 days'

interface Attempt {
  readonly key: string | null
  readonly dueAt: Date | null
  readonly input: Record<string, unknown>
}

type Outcome =
  | { readonly outcome: 'started'; readonly sessionId: string; readonly runId: string }
  | { readonly outcome: 'skipped'; readonly error: AppError }
  | { readonly outcome: 'failed'; readonly error: AppError }

/**
 * Fires a timer if it is due, and sets its next time. What the agent refuses is written down and not tried again.
 * @returns whether it was due: another worker may have been faster
 */
export async function fireTimer(tenant: Firer, triggerId: string): Promise<boolean> {
  return await tenant.transaction(async (tx) => {
    const [row] = await findRow(tx, { id: triggerId })
    if (!row?.due_at || !row.next_at || row.next_at > row.now) return false
    const [schedule, due] = [row.schedule as Schedule, row.due_at]
    const late = jitterMs(row.id, due, row.jitter_seconds)
    const { fire, next } = planFiring(schedule, row.misfire as Misfire, due, late, row.now)
    const key = `due:${due.toISOString()}`
    const [known] = await findFiring(tx, { triggerId, key })
    if (!known) {
      const attempt = { key, dueAt: due, input: row.input as Attempt['input'] }
      await writeFiring(tx, row, attempt, fire ? await attemptStart(tx, row, attempt) : missed)
    }
    await updateRow(tx, row.id, { due_at: next, next_at: next && lookAt(row, next) })
    return true
  })
}

/** When a timer fires that is due then. */
export function lookAt(row: Pick<TriggerRow, 'id' | 'jitter_seconds'>, due: Date): Date {
  return new Date(due.getTime() + jitterMs(row.id, due, row.jitter_seconds))
}

/** Puts a timer off for what is not its own fault; its time stays the same, so it still fires once. */
export async function postponeTimer(tenant: Firer, triggerId: string, ms: number): Promise<void> {
  await tenant.transaction(async (tx) => {
    const [row] = await findRow(tx, { id: triggerId })
    if (row?.due_at) await updateRow(tx, row.id, { next_at: new Date(row.now.getTime() + ms) })
  })
}

/**
 * Starts the session of a message whose signature was checked; the same id again is the same session. Throws
 * too_many_requests while too many of its runs are open, and `conflict` when nothing can be started: why is told to the
 * organization, not to the sender.
 */
export async function fireWebhook(
  tenant: Firer,
  triggerId: string,
  message: { readonly id: string; readonly payload: unknown },
): Promise<{ sessionId: string }> {
  const done = await tenant.transaction(async (tx): Promise<{ sessionId: string | null }> => {
    const [row] = await findRow(tx, { id: triggerId })
    if (!row?.payload_key) throw notFound('trigger')
    const key = `message:${message.id}`
    const [known] = await findFiring(tx, { triggerId, key })
    if (known) return { sessionId: known.session_id }
    const input = { ...(row.input as Attempt['input']), [row.payload_key]: message.payload }
    const attempt = { key, dueAt: null, input }
    const result = await attemptStart(tx, row, attempt)
    if (result.outcome === 'skipped') throw new AppError('too_many_requests', 'too much is under way; send it again')
    await writeFiring(tx, row, result.outcome === 'failed' ? { ...attempt, key: null } : attempt, result)
    if (result.outcome === 'failed') return { sessionId: null }
    const data = { triggerId, messageId: message.id }
    await appendEvents(tx, result.sessionId, result.runId, [{ type: 'webhook_received', nodeId: null, data }])
    return { sessionId: result.sessionId }
  })
  if (done.sessionId === null) throw new AppError('conflict', 'nothing was started; the organization can see why')
  return { sessionId: done.sessionId }
}

/**
 * Fires a trigger of any kind in the name of who calls; with the same key again it is the same firing. Throws `conflict`
 * for a disabled one or while too many of its runs are open, and what starting a session throws.
 */
export async function fireNow(
  tenant: TenantContext<'runs:write'>,
  triggerId: string,
  input: Record<string, unknown>,
  requestKey: string | undefined,
): Promise<Firing> {
  return await tenant.transaction(async (tx) => {
    const row = await lockRow(tx, triggerId)
    if (!row) throw notFound('trigger')
    const key = requestKey === undefined ? null : `request:${tenant.userId}:${requestKey}`
    const [known] = key === null ? [] : await findFiring(tx, { triggerId, key })
    if (known) return toFiring(known)
    if (!row.enabled) throw new AppError('conflict', 'the trigger is disabled')
    const attempt = { key, dueAt: null, input: { ...(row.input as Attempt['input']), ...input } }
    const result = await attemptStart(tx, row, attempt)
    if (result.outcome !== 'started') throw result.error
    const id = await writeFiring(tx, row, attempt, result)
    await record(tx, 'triggers.fire', `trigger:${triggerId}`, { sessionId: result.sessionId })
    const [firing] = await findFiringById(tx, { id })
    return toFiring(firing!)
  })
}

const missed: Outcome = {
  outcome: 'skipped',
  error: new AppError('conflict', 'the time was missed while nothing fired'),
}

/** What the agent refuses is an outcome; it is refused before anything is written, so the transaction can go on. */
async function attemptStart(tx: TenantQueries, row: TriggerRow, { input }: Attempt): Promise<Outcome> {
  if ((await countOpenRuns(tx, row.id, row.max_concurrent)) >= row.max_concurrent) {
    const error = new AppError(
      'conflict',
      `${row.max_concurrent} of its runs are not finished, and no more may be open`,
    )
    return { outcome: 'skipped', error }
  }
  const { agent, name: title, entry_point, id: triggerId } = row
  try {
    const started = await startSession(tx, { agent, title, input, entryPoint: entry_point ?? undefined, triggerId })
    return { outcome: 'started', ...started }
  } catch (error) {
    if (error instanceof AppError) return { outcome: 'failed', error }
    throw error
  }
}

async function writeFiring(tx: TenantQueries, row: TriggerRow, attempt: Attempt, result: Outcome): Promise<string> {
  const { outcome } = result
  const session_id = outcome === 'started' ? result.sessionId : null
  const reason = outcome === 'started' ? null : reasonOf(result.error)
  const firing = { trigger_id: row.id, key: attempt.key, due_at: attempt.dueAt, outcome, reason, session_id }
  const id = await insertFiring(tx, firing)
  if (session_id) await updateRow(tx, row.id, { last_at: row.now, last_session_id: session_id })
  await pruneFirings(tx, row.id, kept)
  return id
}

function reasonOf({ code, message, faults }: AppError): string {
  const first = faults[0] ? `: ${faults[0].path ?? faults[0].file ?? ''} ${faults[0].reason}` : ''
  return JSON.stringify({ code, message: `${message}${first}`.slice(0, 500) })
}

export function toFiring(row: Awaited<ReturnType<typeof findFiring>>[number]): Firing {
  return {
    id: row.id,
    outcome: row.outcome as Firing['outcome'],
    reason: row.reason as Firing['reason'],
    sessionId: row.session_id,
    dueAt: row.due_at?.toISOString() ?? null,
    firedAt: row.fired_at.toISOString(),
    firedBy: row.fired_by,
  }
}
