import type { Static } from 'typebox'
import type { TenantQueries } from '../../db/queries.ts'
import type { Effect } from '../../engine/machine.ts'
import { AppError, notFound } from '../../errors.ts'
import type { TenantContext } from '../../tenancy/context.ts'
import { type PageInput, pageOf, readCursor } from '../pages.ts'
import { type Rules, rulesFor } from '../policies/service.ts'
import { type AnswerRow, listAnswers, listPlaces, placeOf } from './answers.ts'
import { agreeing, answer, decisionOf, quorumOf } from './decide.ts'
import { outcomeAt } from './expire.ts'
import { hashOf, type Payload, standingHash } from './payload.ts'
import { countRows, findRow, insertRow, listDecisions, listRows, requestersOf, withdrawRows } from './repository.ts'
import type {
  Answer,
  Approval,
  ApprovalCounts,
  ApprovalDetail,
  ApprovalList,
  ApprovalRules,
  ApprovalStatus,
  Decision,
} from './schema.ts'

type Question = Extract<Effect, { kind: 'approval' }>
type Reader = TenantContext<'approvals:read'>

export async function listApprovals(
  tenant: Reader,
  query: PageInput & {
    status?: ApprovalStatus | undefined
    sessionId?: string | undefined
    assignedTo?: 'me' | undefined
  },
): Promise<Static<typeof ApprovalList>> {
  const { limit = 20, cursor, status, sessionId } = query
  const assignedTo = query.assignedTo && tenant.userId
  const filters = { status, sessionId, assignedTo }
  const rows = await listRows(tenant.rows, limit, readCursor(tenant.tenantId, cursor), filters)
  return pageOf(tenant.tenantId, rows, limit, (row) => ({ time: row.requested_at, id: row.id }), toApproval)
}

export async function countApprovals(tenant: Reader): Promise<ApprovalCounts> {
  const [row] = await countRows(tenant.rows, { userId: tenant.userId })
  return { pending: Number(row?.pending ?? 0), assignedToMe: Number(row?.assigned ?? 0) }
}

export async function getApproval(tenant: Reader, id: string): Promise<ApprovalDetail> {
  const { rows, userId } = tenant
  const [[row], given, places] = await Promise.all([
    findRow(rows, { id }),
    listAnswers(rows, { approvalId: id }),
    listPlaces(rows, { approvalId: id, userId }),
  ])
  if (!row) throw notFound('approval')
  const { message, evidence, proposal, editSchema } = row.payload as unknown as Payload
  const standing = new Set(agreeing(row, given))
  const [taken, own] = [
    new Set([...standing].map(placeOf)),
    [...standing].some(({ actor }) => actor === `user:${userId}`),
  ]
  const open = row.status === 'pending' && !places.some(({ now }) => row.expires_at !== null && row.expires_at <= now)
  return {
    ...toApproval(row),
    message,
    evidence,
    proposal: proposal && row.status === 'pending' && row.edited_hash ? { ...proposal, value: row.edited } : proposal,
    editSchema,
    payloadHash: standingHash(row),
    edited: row.edited,
    rules: toRules(row),
    answers: given.map((one) => toAnswer(one, standing.has(one))),
    mayDecide: open && !own && places.some(({ seat_id }) => !taken.has(`user:${seat_id}`)),
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
  const [rules, requesters] = await Promise.all([rulesFor(tx, policy), requestersOf(tx, sessionId)])
  const hash = hashOf(title, payload)
  const row = { session_id: sessionId, run_id: runId, call, node_id: nodeId, title, payload, payload_hash: hash }
  return await insertRow(tx, row, rules, requesters)
}

/** Takes back what a run asked and nobody answered. */
export const withdrawApprovals = withdrawRows

/**
 * The answers that a run has got, as the engine takes them. `decidedBy` names everybody whose agreement counted: by their
 * address, with the name, which everybody may choose for themselves, behind it; or by the actor's id.
 */
export async function decisionsOf(queries: TenantQueries, runId: string) {
  const rows = await listDecisions(queries, { runId })
  const byCall = Map.groupBy(rows, (row) => row.call)
  return [...byCall.values()].map((given) => {
    const { call, status, edited, reason, decided_at } = given[0]!
    return {
      kind: 'decision' as const,
      approval: call,
      decision: decisionOf[status as keyof typeof decisionOf],
      ...(status === 'edited' ? { values: edited as unknown } : {}),
      reason: reason ?? '',
      decidedBy: given.map(nameOf).join(', '),
      decidedAt: decided_at!.toISOString(),
    }
  })
}

function nameOf(row: Awaited<ReturnType<typeof listDecisions>>[number]): string {
  const name = (email: string | null, name: string | null, id: string) =>
    email ? `${email}${name ? ` (${name})` : ''}` : id
  const own = name(row.email, row.name, row.actor)
  return row.for_user_id === null
    ? own
    : `${own} for ${name(row.absent_email, row.absent_name, `user:${row.for_user_id}`)}`
}

/**
 * Takes one person's answer. The question ends with a rejection, or when enough people agree to what is asked; then the
 * run goes on, in the same transaction. Throws what answer() throws.
 */
export async function decide(
  tenant: TenantContext<'approvals:read' | 'approvals:write'>,
  id: string,
  decision: Decision,
  now: Date,
): Promise<ApprovalDetail> {
  const { runId } = await getApproval(tenant, id)
  const { userId } = tenant
  await tenant.transaction((tx) => answer(tx, { userId, runId, id, now }, decision))
  return await getApproval(tenant, id)
}

type DetailRow = Awaited<ReturnType<typeof findRow>>[number]

function toRules(row: DetailRow): ApprovalRules {
  const policy = row.policy as Rules['policy']
  return {
    policy: policy?.name ?? null,
    deciders: row.stage === 1 ? row.deciders : (row.escalated_deciders ?? []),
    notRequester: row.not_requester,
    whenExpired: outcomeAt(row.stage, policy),
  }
}

function toAnswer(row: AnswerRow, stands: boolean): Answer {
  return {
    decision: row.decision as Answer['decision'],
    by: row.actor,
    forUserId: row.for_user_id,
    stage: row.stage,
    stands,
    reason: row.reason,
    decidedAt: row.decided_at.toISOString(),
  }
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
    expiresAt: row.expires_at?.toISOString() ?? null,
    stage: row.stage,
    quorum: quorumOf(row),
  }
}
