import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import type { Static } from 'typebox'
import type { TenantQueries } from '../../db/queries.ts'
import type { Effect } from '../../engine/machine.ts'
import { AppError, notFound } from '../../errors.ts'
import { checkJson } from '../../providers/json-schema.ts'
import type { TenantContext } from '../../tenancy/context.ts'
import { record } from '../audit/service.ts'
import { type PageInput, pageOf, readCursor } from '../pages.ts'
import { appendEvents, lockedRun, type RunRow, wakeRun } from '../runs/service.ts'
import {
  findRow,
  insertRow,
  listDecisions,
  listRows,
  lockRow,
  rolesOf,
  withdrawRows,
  writeDecision,
} from './repository.ts'
import type { Approval, ApprovalDetail, ApprovalList, ApprovalStatus, Decision } from './schema.ts'

type Payload = Pick<ApprovalDetail, 'message' | 'evidence' | 'proposal' | 'editSchema'>
type Question = Extract<Effect, { kind: 'approval' }>
type ApprovalRow = NonNullable<Awaited<ReturnType<typeof lockRow>>>

const statusOf = { approve: 'approved', edit: 'edited', reject: 'rejected' } as const
const decisionOf = { approved: 'approve', edited: 'edit', rejected: 'reject' } as const

export async function listApprovals(
  tenant: TenantContext<'approvals:read'>,
  query: PageInput & { status?: ApprovalStatus | undefined; sessionId?: string | undefined },
): Promise<Static<typeof ApprovalList>> {
  const { limit = 20, cursor, status, sessionId } = query
  const rows = await listRows(tenant.rows, limit, readCursor(tenant.tenantId, cursor), { status, sessionId })
  return pageOf(tenant.tenantId, rows, limit, (row) => ({ time: row.requested_at, id: row.id }), toApproval)
}

export async function getApproval(tenant: TenantContext<'approvals:read'>, id: string): Promise<ApprovalDetail> {
  const [row] = await findRow(tenant.rows, { id })
  if (!row) throw notFound('approval')
  const { message, evidence, proposal, editSchema } = row.payload as unknown as Payload
  return {
    ...toApproval(row),
    message,
    evidence,
    proposal,
    editSchema,
    payloadHash: row.payload_hash,
    edited: row.edited,
  }
}

/** Of what a person is shown, as JSON text: the API holds it for everybody who looks. */
const mostCharacters = 4 * 1024 * 1024

/**
 * Puts a run's question before people; asking the same call again is asking once. Throws payload_too_large when it is
 * more than anybody could look at. @returns the id; undefined when it was asked before
 */
export async function askApproval(
  tx: TenantQueries,
  { sessionId, runId, effect }: { sessionId: string; runId: string; effect: Question },
): Promise<string | undefined> {
  const { call, nodeId, title, message, evidence, proposal, editSchema, policy } = effect
  const payload = { message, evidence, proposal, editSchema } as Payload
  if (JSON.stringify(payload).length > mostCharacters) {
    throw new AppError('payload_too_large', `what "${nodeId}" shows for a decision takes more than 4 MB; show less`)
  }
  return await insertRow(tx, {
    session_id: sessionId,
    run_id: runId,
    call,
    node_id: nodeId,
    title,
    payload,
    payload_hash: hashOf(title, payload),
    policy,
  })
}

/** Takes back what a run asked and nobody answered. */
export const withdrawApprovals = withdrawRows

/**
 * The answers that a run has got, as the engine takes them. `decidedBy` is the person's address with the name, which
 * everybody may choose for themselves, behind it; or the actor's id.
 */
export async function decisionsOf(queries: TenantQueries, runId: string) {
  const rows = await listDecisions(queries, { runId })
  return rows.map((row) => ({
    kind: 'decision' as const,
    approval: row.call,
    decision: decisionOf[row.status as keyof typeof decisionOf],
    ...(row.status === 'edited' ? { values: row.edited as unknown } : {}),
    reason: row.reason ?? '',
    decidedBy: row.email ? `${row.email}${row.name ? ` (${row.name})` : ''}` : (row.decided_by ?? ''),
    decidedAt: row.decided_at!.toISOString(),
  }))
}

/**
 * Answers a question, once. Throws already_decided, payload_changed when the person saw something else than what is
 * asked, forbidden when the policy asks for somebody else, input_invalid when the edited values do not fit; the run
 * goes on in the same transaction.
 */
export async function decide(
  tenant: TenantContext<'approvals:read' | 'approvals:write'>,
  id: string,
  decision: Decision,
  now: Date,
): Promise<ApprovalDetail> {
  const { runId } = await getApproval(tenant, id)
  await tenant.transaction(async (tx) => {
    const run = await lockedRun(tx, runId)
    const approval = await lockRow(tx, id)
    if (!approval) throw notFound('approval')
    if (approval.status !== 'pending')
      throw new AppError('already_decided', `this approval is ${approval.status} already`)
    if (approval.payload_hash !== decision.payloadHash) {
      throw new AppError('payload_changed', 'what is asked differs from what you saw; look at it again')
    }
    await assertPolicy(tx, tenant.userId, approval, run)
    const edited = editedValues(approval, decision)
    const status = statusOf[decision.decision]
    await writeDecision(tx, id, { status, edited, reason: decision.reason, decided_at: now })
    await record(tx, 'approvals.decide', `approval:${id}`, {
      decision: decision.decision,
      payloadHash: decision.payloadHash,
    })
    await wakeRun(tx, run, now)
    await appendEvents(tx, run.session_id, run.id, [
      { type: 'approval_decided', nodeId: approval.node_id, data: { approvalId: id, decision: decision.decision } },
    ])
  })
  return await getApproval(tenant, id)
}

async function assertPolicy(tx: TenantQueries, userId: string, { policy }: ApprovalRow, run: RunRow): Promise<void> {
  const { roles, notRequester } = (policy ?? {}) as { roles?: string[]; notRequester?: boolean }
  if (notRequester && run.created_by.endsWith(userId)) {
    throw new AppError('forbidden', 'the policy asks for somebody else than who started the run')
  }
  if (roles && !(await rolesOf(tx, userId)).some((role) => roles.includes(role))) {
    throw new AppError('forbidden', `the policy asks for one of these roles: ${roles.join(', ')}`)
  }
}

function editedValues({ payload }: ApprovalRow, { decision, values }: Decision): unknown {
  const { proposal, editSchema } = payload as unknown as Payload
  if (decision !== 'edit') {
    if (values !== undefined) throw new AppError('invalid_request', 'values belong to the decision edit only')
    return undefined
  }
  if (!proposal) throw new AppError('input_invalid', 'this approval has nothing to edit: approve or reject it')
  if (values === undefined) throw new AppError('invalid_request', 'the decision edit needs values')
  const faults = editSchema ? checkJson(editSchema, values, 'values') : []
  if (faults.length > 0) throw new AppError('input_invalid', 'the edited values do not fit', { faults })
  return values
}

function hashOf(title: string, payload: Payload): string {
  return createHash('sha256')
    .update(canonicalize({ title, ...payload }) ?? '')
    .digest('hex')
}

function toApproval(row: Awaited<ReturnType<typeof listRows>>[number]): Approval {
  return {
    id: row.id,
    sessionId: row.session_id,
    runId: row.run_id,
    agent: row.agent,
    nodeId: row.node_id,
    title: row.title,
    status: row.status as ApprovalStatus,
    requestedAt: row.requested_at.toISOString(),
    decidedAt: row.decided_at?.toISOString() ?? null,
    decidedBy: row.decided_by,
    reason: row.reason,
  }
}
