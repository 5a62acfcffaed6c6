import { sql } from 'kysely'
import type { TenantQueries } from '../../db/queries.ts'
import { type Left, leftOf, type RunKey, type RunTenant } from './progress.ts'
import { appendEvents, cancelled, failOpenSteps, notifyRuns } from './repository.ts'

/** The ways in which a worker lets go of a run that the machine did not end. All free the slot, but the handover. */

/** Ends a run outside the machine: cancelled by a person, or failed for a reason that no step can answer. */
export async function endRun(
  tenant: RunTenant,
  run: RunKey,
  end: { status: 'cancelled' | 'failed'; error: { code: string; message: string } | null },
  also: (tx: TenantQueries) => Promise<unknown>,
): Promise<void> {
  const data = end.error ? { error: end.error } : {}
  await tenant.transaction(async (tx) => {
    await Promise.all([
      also(tx),
      tx
        .updateTable('runs')
        .set({ ...end, error: end.error && JSON.stringify(end.error), requested: null, finished_at: sql`now()` })
        .where('id', '=', run.runId)
        .execute(),
      failOpenSteps(tx, run.runId, end.error ?? cancelled),
      notifyRuns(tx),
    ])
    await appendEvents(tx, run.sessionId, run.runId, [{ type: `execution_${end.status}`, nodeId: null, data }])
  })
}

/**
 * Leaves a run at its last checkpoint, without a worker, until a person resumes it. @returns false when the person took
 * the request back meanwhile: then the run is still held
 */
export async function pauseRun(tenant: RunTenant, { runId, sessionId }: RunKey): Promise<boolean> {
  return await tenant.transaction(async (tx) => {
    const { numUpdatedRows } = await tx
      .updateTable('runs')
      .set({ status: 'paused', requested: null })
      .where('id', '=', runId)
      .where('requested', '=', 'pause')
      .executeTakeFirstOrThrow()
    if (!numUpdatedRows) return false
    await appendEvents(tx, sessionId, runId, [{ type: 'execution_paused', nodeId: null, data: {} }])
    await notifyRuns(tx)
    return true
  })
}

/**
 * Goes on waiting, if it may and `decided` finds no answer: whoever answers locks the run first, so none comes in between.
 * @returns what was found, and how the run was left when it was (waiting, or held because something was requested of it)
 */
export async function waitOn<T>(
  tenant: RunTenant,
  run: RunKey,
  decided: (tx: TenantQueries) => Promise<readonly T[]>,
  { mayWait }: { readonly mayWait: boolean },
): Promise<{ found: readonly T[]; left: Left | null }> {
  return await tenant.transaction(async (tx) => {
    const found = await decided(tx)
    if (!mayWait || found.length > 0) return { found, left: null }
    const [left] = await Promise.all([
      tx
        .updateTable('runs')
        .set({ status: sql`case when requested is null then 'waiting' else 'running' end`, error: null })
        .where('id', '=', run.runId)
        .returning(['status', 'requested', sql<Date>`now()::timestamptz(3)`.as('at')])
        .executeTakeFirstOrThrow(),
      notifyRuns(tx),
    ])
    return { found, left: leftOf(left) }
  })
}

/** Gives the slot back and waits for another one, behind everyone who waits now. */
export async function requeueRun(tenant: RunTenant, { runId }: RunKey): Promise<void> {
  await tenant.transaction(async (tx) => {
    const change = { status: 'queued', queued_at: sql<Date>`now()`, worker_id: null }
    await Promise.all([tx.updateTable('runs').set(change).where('id', '=', runId).execute(), notifyRuns(tx)])
  })
}

/** Hands a running run to whoever asks next: it keeps its slot, looks silent at once, and its epoch ends here. */
export async function handOverRun(tenant: RunTenant, { runId }: RunKey): Promise<void> {
  await tenant.transaction(async (tx) => {
    await Promise.all([
      tx
        .updateTable('runs')
        .set((is) => ({
          epoch: is('epoch', '+', 1),
          takeovers: is('takeovers', '-', 1), // this one does not count
          heartbeat_at: sql`to_timestamp(0)`,
          worker_id: null,
        }))
        .where('id', '=', runId)
        .execute(),
      notifyRuns(tx),
    ])
  })
}
