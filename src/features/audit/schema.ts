import { type Static, Type } from 'typebox'
import { Id, Nullable, Page, PageQuery, Strict, Time } from '../schema.ts'

export const AuditEntry = Type.Object({
  id: Id,
  actor: Type.String(),
  action: Type.String({ description: 'resource.verb, e.g. approvals.decide' }),
  resource: Nullable(Type.String()),
  outcome: Type.Union([Type.Literal('done'), Type.Literal('denied')]),
  details: Type.Unsafe<Record<string, unknown>>({ type: 'object', additionalProperties: true }),
  occurredAt: Time,
})
export type AuditEntry = Static<typeof AuditEntry>
export const AuditList = Page(AuditEntry)
export const AuditQuery = Strict(PageQuery)
