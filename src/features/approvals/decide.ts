import type { TenantQueries } from '../../db/queries.ts'
import { AppError, notFound } from '../../errors.ts'
import { record } from '../audit/service.ts'
import { appendEvents, lockedRun, type RunRow, wakeRun } from '../runs/service.ts'
import { type AnswerRow, insertAnswer, listAnswers, listPlaces, mostAnswers, placeOf } from './answers.ts'
import { editedValues, hashAfter, standingHash } from './payload.ts'
import { type ApprovalRow, lockRow, writeEdit, writeEnd } from './repository.ts'
import type { Decision } from './schema.ts'

/** How many must agree at this stage. */
export function quorumOf({
  stage,
  quorum,
  escalated_quorum,
}: Pick<ApprovalRow, 'stage' | 'quorum' | 'escalated_quorum'>) {
  return stage === 1 ? quorum : (escalated_quorum ?? 1)
}

/** The answers of this stage that agree to what is asked now, of people who are still members; the first of each place. */
export function agreeing(
  approval: Pick<ApprovalRow, 'stage' | 'payload_hash' | 'edited_hash'>,
  given: readonly AnswerRow[],
) {
  const hash = standingHash(approval)
  const agree = given.filter(
    ({ stage, stands_for, decision, member }) =>
      stage === approval.stage && stands_for === hash && member && (decision === 'approve' || decision === 'edit'),
  )
  return agree.filter((one) => agree.find((other) => placeOf(other) === placeOf(one)) === one)
}

/**
 * One person's answer, in one transaction under the locks of run and approval; the approval's own end follows from the
 * answers that there are. The very same answer again changes nothing. Throws already_decided, approval_expired,
 * payload_changed, forbidden, input_invalid.
 */
export async function answer(
  tx: TenantQueries,
  { userId, runId, id, now }: { userId: string; runId: string; id: string; now: Date },
  decision: Decision,
): Promise<void> {
  const run = await lockedRun(tx, runId)
  const approval = await lockRow(tx, id)
  if (!approval) throw notFound('approval')
  const given = await listAnswers(tx, { approvalId: id })
  if (isRepeated(approval, given, userId, decision)) return
  if (approval.status !== 'pending')
    throw new AppError('already_decided', `this approval is ${approval.status} already`)
  if (given.length >= mostAnswers)
    throw new AppError('conflict', 'too many people have changed this; reject it, or ask again')
  const place = await placeFor(tx, approval, given, userId)
  if (standingHash(approval) !== decision.payloadHash) {
    throw new AppError('payload_changed', 'what is asked differs from what you saw; look at it again')
  }
  const edited = editedValues(approval, decision)
  const hash = edited === undefined ? decision.payloadHash : hashAfter(decision.payloadHash, edited)
  const forUserId = place === userId ? null : place
  const answerId = await insertAnswer(tx, {
    approval_id: id,
    stage: approval.stage,
    decision: decision.decision,
    for_user_id: forUserId,
    payload_hash: decision.payloadHash,
    stands_for: hash,
    edited,
    reason: decision.reason,
  })
  if (edited !== undefined) await writeEdit(tx, id, edited, hash)
  await record(tx, 'approvals.decide', `approval:${id}`, {
    decision: decision.decision,
    payloadHash: decision.payloadHash,
    ...(forUserId === null ? {} : { forUserId }),
  })
  const standing = { ...approval, edited_hash: edited === undefined ? approval.edited_hash : hash }
  await settle(tx, run, standing, { ...decision, answerId }, now)
}

/** Whether this person has given this very answer before. Throws already_decided when it was another one. */
function isRepeated(approval: ApprovalRow, given: readonly AnswerRow[], userId: string, decision: Decision): boolean {
  const own = given.find(
    ({ actor, stage, payload_hash }) =>
      actor === `user:${userId}` && stage === approval.stage && payload_hash === decision.payloadHash,
  )
  if (!own) return false
  const { payloadHash, values } = decision
  const hash = values === undefined ? payloadHash : hashAfter(payloadHash, values)
  const same = own.decision === decision.decision && own.reason === decision.reason && own.stands_for === hash
  if (!same) throw new AppError('already_decided', 'you have answered this already')
  return true
}

/** In whose place this person answers: the own one, or the first free one of those who are away. */
async function placeFor(
  tx: TenantQueries,
  approval: ApprovalRow,
  given: readonly AnswerRow[],
  userId: string,
): Promise<string> {
  const places = await listPlaces(tx, { approvalId: approval.id, userId })
  const [first] = places
  if (!first) throw notAsked(approval, userId)
  if (approval.expires_at !== null && approval.expires_at <= first.now) {
    throw new AppError('approval_expired', 'the time to decide this is over; look at it again in a moment')
  }
  const standing = agreeing(approval, given)
  const taken = new Set(standing.map(placeOf))
  const free = places.find(({ seat_id }) => !taken.has(`user:${seat_id}`))
  if (!free || standing.some(({ actor }) => actor === `user:${userId}`)) {
    throw new AppError('already_decided', 'this was answered already, by you or in the same place')
  }
  return free.seat_id
}

function notAsked(approval: ApprovalRow, userId: string): AppError {
  if (approval.not_requester && approval.requesters.includes(userId)) {
    return new AppError('forbidden', 'the policy asks for somebody else than who started the run')
  }
  const asked = approval.stage === 1 ? approval.deciders : (approval.escalated_deciders ?? [])
  return new AppError('forbidden', `the policy asks for people, and one of these: ${asked.join(', ')}`)
}

async function settle(
  tx: TenantQueries,
  run: RunRow,
  approval: ApprovalRow,
  decision: Decision & { answerId: string },
  now: Date,
): Promise<void> {
  const { id, node_id: nodeId, edited_hash } = approval
  const { reason, answerId } = decision
  const quorum = quorumOf(approval)
  const agreed = agreeing(approval, await listAnswers(tx, { approvalId: id })).map((one) => one.id)
  if (decision.decision === 'reject') {
    await endApproval(tx, run, approval, { status: 'rejected', reason, decisive: [answerId] }, now)
  } else if (agreed.length >= quorum) {
    const status = edited_hash === null ? 'approved' : 'edited'
    await endApproval(tx, run, approval, { status, reason, decisive: agreed }, now)
  } else {
    const data = { approvalId: id, decision: decision.decision, agreed: agreed.length, quorum }
    await appendEvents(tx, run.session_id, run.id, [{ type: 'approval_answered', nodeId, data }])
  }
}

export const decisionOf = { approved: 'approve', edited: 'edit', rejected: 'reject' } as const

/** Writes how a question ended, and lets its run go on. `expired`: because nobody answered in time. */
export async function endApproval(
  tx: TenantQueries,
  run: RunRow,
  { id, node_id: nodeId }: Pick<ApprovalRow, 'id' | 'node_id'>,
  end: { status: keyof typeof decisionOf; reason: string; decisive: string[] },
  now: Date,
  expired = false,
): Promise<void> {
  await writeEnd(tx, id, end)
  await wakeRun(tx, run, now)
  const data = { approvalId: id, decision: decisionOf[end.status] }
  await appendEvents(tx, run.session_id, run.id, [
    ...(expired ? [{ type: 'approval_expired', nodeId, data }] : []),
    { type: 'approval_decided', nodeId, data },
  ])
}
