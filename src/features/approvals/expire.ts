import type { TenantContext } from '../../tenancy/context.ts'
import { record } from '../audit/service.ts'
import { mayApproveOnExpiry, type Rules } from '../policies/service.ts'
import { appendEvents, lockedRun } from '../runs/service.ts'
import { insertAnswer } from './answers.ts'
import { endApproval } from './decide.ts'
import { standingHash } from './payload.ts'
import { type ApprovalRow, findDue, lockRow, writeEscalation } from './repository.ts'

type Outcome = 'escalate' | 'reject' | 'approve'

/**
 * Does what the policy says of a question that nobody decided in time, once, whoever else tries: escalates it, or ends it
 * and wakes its run. @returns what was done; null when there was nothing to do any more
 */
export async function expireApproval(
  tenant: TenantContext<'jobs:run'>,
  id: string,
  now: Date,
): Promise<Outcome | null> {
  return await tenant.transaction(async (tx) => {
    const [due] = await findDue(tx, { id })
    if (!due) return null
    const run = await lockedRun(tx, due.run_id)
    const approval = await lockRow(tx, id)
    if (!approval || (await findDue(tx, { id })).length === 0) return null
    const policy = approval.policy as Rules['policy']
    const asked = outcomeOf(approval)
    // What one person has changed and nobody else agreed to is never approved by the passing of time.
    const approves = asked === 'approve' && approval.edited_hash === null && (await mayApproveOnExpiry(tx))
    const outcome = asked === 'approve' && !approves ? 'reject' : asked
    const reason = `nobody decided in time: ${said[outcome]}${outcome === asked ? '' : ', since it may not be approved so'}`
    const hash = standingHash(approval)
    const answerId = await insertAnswer(tx, {
      approval_id: id,
      stage: approval.stage,
      decision: outcome,
      for_user_id: null,
      payload_hash: hash,
      stands_for: hash,
      edited: undefined,
      reason,
    })
    await record(tx, 'approvals.expire', `approval:${id}`, { outcome, policy: policy?.name ?? null })
    if (outcome === 'escalate') {
      await writeEscalation(tx, id, policy?.expiry?.escalateTo?.afterMinutes ?? null)
      const event = { type: 'approval_escalated', nodeId: approval.node_id, data: { approvalId: id, stage: 2 } }
      await appendEvents(tx, run.session_id, run.id, [event])
    } else {
      const status = outcome === 'approve' ? 'approved' : 'rejected'
      await endApproval(tx, run, approval, { status, reason, decisive: [answerId] }, now, true)
    }
    return outcome
  })
}

const said = { escalate: 'escalated', reject: 'rejected', approve: 'approved' } as const

/** What happens at the end of the present stage; null when nothing does. */
export function outcomeAt(stage: number, policy: Rules['policy']): Outcome | null {
  const expiry = policy?.expiry
  return (stage === 1 ? expiry?.action : expiry?.escalateTo?.action) ?? null
}

function outcomeOf({ stage, policy, escalated_deciders }: ApprovalRow): Outcome {
  const outcome = outcomeAt(stage, policy as Rules['policy']) ?? 'reject'
  return outcome === 'escalate' && !escalated_deciders ? 'reject' : outcome
}
