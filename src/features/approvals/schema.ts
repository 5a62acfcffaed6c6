import { type Static, Type } from 'typebox'
import { Id, Name, Nullable, Page, PageQuery, Sha256, Strict, Time } from '../schema.ts'

const Json = Type.Unsafe<unknown>({})

export const ApprovalStatus = Type.Enum(['pending', 'approved', 'edited', 'rejected', 'withdrawn'])
export type ApprovalStatus = Static<typeof ApprovalStatus>

export const Approval = Type.Object({
  id: Id,
  sessionId: Id,
  runId: Id,
  agent: Name,
  nodeId: Type.String(),
  title: Type.String(),
  status: ApprovalStatus,
  requestedAt: Time,
  decidedAt: Nullable(Time),
  decidedBy: Nullable(Type.String()),
  reason: Nullable(Type.String()),
  expiresAt: Nullable(Time),
  stage: Type.Integer({ description: '1, or 2 once it was escalated.' }),
  quorum: Type.Integer({ description: 'How many people must agree.' }),
})
export type Approval = Static<typeof Approval>

/** What one person answered, or the platform when nobody did. */
export const Answer = Type.Object({
  decision: Type.Enum(['approve', 'edit', 'reject', 'escalate']),
  by: Type.String({ description: 'The actor: user:<id>, or system:approval-expiry.' }),
  forUserId: Nullable(Id),
  stage: Type.Integer(),
  stands: Type.Boolean({ description: 'Whether it agrees to what is asked now. An edit makes earlier answers void.' }),
  reason: Type.String(),
  decidedAt: Time,
})
export type Answer = Static<typeof Answer>

/** Who may answer now, and what happens when nobody does. */
export const ApprovalRules = Type.Object({
  policy: Nullable(Type.String()),
  deciders: Type.Array(Type.String({ description: 'role:<role>, email:<address> or member:<id>' })),
  notRequester: Type.Boolean(),
  whenExpired: Nullable(Type.Enum(['escalate', 'reject', 'approve'])),
})
export type ApprovalRules = Static<typeof ApprovalRules>

/**
 * What the person decides on. `payloadHash` binds a decision to exactly what was shown; an edit that others must agree to
 * changes it, and `proposal` with it.
 */
export const ApprovalDetail = Type.Object({
  ...Approval.properties,
  rules: ApprovalRules,
  answers: Type.Array(Answer),
  mayDecide: Type.Boolean({ description: 'Whether you may answer now.' }),
  message: Type.String(),
  evidence: Type.Array(Type.Object({ key: Type.String(), value: Json })),
  proposal: Nullable(Type.Object({ key: Type.String(), value: Json })),
  editSchema: Nullable(Type.Unsafe<Record<string, unknown>>({ type: 'object', additionalProperties: true })),
  payloadHash: Sha256,
  edited: Json,
})
export type ApprovalDetail = Static<typeof ApprovalDetail>

export const Decision = Strict({
  decision: Type.Union([Type.Literal('approve'), Type.Literal('edit'), Type.Literal('reject')]),
  payloadHash: Sha256,
  values: Type.Optional(Json),
  reason: Type.String({ minLength: 1, maxLength: 2000 }),
})
export type Decision = Static<typeof Decision>

export const ApprovalList = Page(Approval)
export const ApprovalQuery = Strict({
  ...PageQuery,
  status: Type.Optional(ApprovalStatus),
  sessionId: Type.Optional(Id),
  assignedTo: Type.Optional(
    Type.Literal('me', { description: 'What you may answer now, for you or in a place of others.' }),
  ),
})
/** Each counted up to 1,000. */
export const ApprovalCounts = Type.Object({
  pending: Type.Integer(),
  assignedToMe: Type.Integer(),
})
export type ApprovalCounts = Static<typeof ApprovalCounts>
export const ApprovalPath = Strict({ approvalId: Id })
