import type { Logger } from 'pino'
import type { Database } from '../db/database.ts'
import type { Doors, DueTrigger } from '../db/doors.ts'
import { AppError, type ErrorCode } from '../errors.ts'
import { fireTimer, postponeTimer } from '../features/triggers/service.ts'
import { TenantContext } from '../tenancy/context.ts'

// All that firing needs, and an idle worker does not: main.ts loads it when the first timer is due.

export interface FireServices {
  readonly database: Database
  readonly doors: Pick<Doors, 'disableOrphan'>
  readonly log: Pick<Logger, 'error'>
}

/** Less than what counts as missed. */
const postponedMs = 30_000
/** Somebody else has dealt with it meanwhile. */
const settled: readonly ErrorCode[] = ['not_found', 'organization_suspended']
const away: readonly ErrorCode[] = ['database_unavailable', 'overloaded']

/** Fires a timer if it is still due. One that fails by no fault of its own is put off, so that it keeps up nobody. */
export async function fireDue(services: FireServices, { tenantId, triggerId }: DueTrigger): Promise<void> {
  const { database, doors, log } = services
  const open = () => TenantContext.openTrigger(database, tenantId, triggerId)
  try {
    await fireTimer(open(), triggerId)
  } catch (err) {
    const code = err instanceof AppError ? err.code : undefined
    if (code && settled.includes(code)) return
    if (code && away.includes(code)) throw err
    if (code === 'owner_left') return await doors.disableOrphan(tenantId, triggerId)
    log.error({ err, tenantId, triggerId }, 'a timer did not fire; trying again in half a minute')
    await postponeTimer(open(), triggerId, postponedMs).catch(() => undefined) // the door offers it again at once
  }
}
