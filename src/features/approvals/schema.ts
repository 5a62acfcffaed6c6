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
})
export type Approval = Static<typeof Approval>

/** What the person decides on. `payloadHash` binds a decision to exactly what was shown. */
export const ApprovalDetail = Type.Object({
  ...Approval.properties,
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
})
export const ApprovalPath = Strict({ approvalId: Id })
