import { type Static, Type } from 'typebox'
import { Id, Nullable, Page, PageQuery, Strict, Time } from '../schema.ts'

export const Member = Type.Object({
  userId: Id,
  email: Nullable(Type.String()),
  name: Nullable(Type.String()),
  roles: Type.Array(Type.String()),
  status: Type.Union([Type.Literal('active'), Type.Literal('removed')]),
  lastSeenAt: Nullable(Time),
})
export type Member = Static<typeof Member>
export const MemberList = Page(Member)
export const MemberQuery = Strict(PageQuery)
