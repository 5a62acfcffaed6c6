import type { Logger } from 'pino'
import type { Database } from '../db/database.ts'
import type { Doors } from '../db/doors.ts'
import { expireApproval } from '../features/approvals/expire.ts'
import { TenantContext } from '../tenancy/context.ts'
import { type Job, startJob } from './repeat.ts'

export interface ExpiryOptions {
  readonly database: Database
  readonly doors: Pick<Doors, 'dueApprovals'>
  readonly pollMs: number
  readonly log: Pick<Logger, 'warn' | 'info'>
}

/** Looked at in one go, each in a transaction of its own. */
const atOnce = 20

/** Does what policies say of questions that nobody decided in time. Any number of workers may: each question is dealt with once. */
export function startExpiries({ database, doors, pollMs, log }: ExpiryOptions): Job {
  const work = async () => {
    const due = await doors.dueApprovals(atOnce)
    let done = 0
    const expire = async (tenantId: string, approvalId: string) => {
      const tenant = TenantContext.openSystem(database, tenantId, 'approval-expiry')
      try {
        if (await expireApproval(tenant, approvalId, new Date())) done += 1
      } catch (err) {
        log.warn({ err, tenantId, approvalId }, 'an approval could not expire; trying again')
      }
    }
    // One after the other within a tenant, tenants side by side: what one waits for holds up no other.
    const tenants = Map.groupBy(due, ({ tenantId }) => tenantId).values()
    await Promise.all(
      [...tenants].map(async (own) => {
        for (const { tenantId, approvalId } of own) await expire(tenantId, approvalId)
      }),
    )
    if (due.length === atOnce && done > 0) job.look()
  }
  const job = startJob({ name: 'the list of approvals that expire', pollMs, log, work })
  return job
}
