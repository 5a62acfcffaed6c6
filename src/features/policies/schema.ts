import { type Static, Type } from 'typebox'
import { policyRules } from '../../engine/policies.ts'
import { Id, Nullable, Page, PageQuery, Strict, Time } from '../schema.ts'

const Members = Type.Array(Id, {
  minItems: 1,
  maxItems: 20,
  uniqueItems: true,
  description: 'These members may decide.',
})

/** The rules of an organization's own policy: those of a package, but people are named by their ids. */
export const PolicyPut = Strict(policyRules({ members: Type.Optional(Members) }))
export type PolicyPut = Static<typeof PolicyPut>

const PolicyName = Type.String({ pattern: '^[a-z][a-z0-9]*([-_][a-z0-9]+)*$', maxLength: 64 })

export const Policy = Type.Object({
  name: PolicyName,
  ...PolicyPut.properties,
  updatedAt: Time,
  updatedBy: Type.String(),
})
export type Policy = Static<typeof Policy>
export const PolicyList = Page(Policy)
export const PolicyQuery = Strict(PageQuery)
export const PolicyPath = Strict({ name: PolicyName })

export const ApprovalSettingsPut = Strict({
  approveOnExpiry: Type.Boolean({
    description: 'Whether a policy may approve what nobody decided in time. Such an approval is rejected otherwise.',
  }),
})
export type ApprovalSettingsPut = Static<typeof ApprovalSettingsPut>
/** Nobody has set anything while `updatedAt` is null. */
export const ApprovalSettings = Type.Object({
  ...ApprovalSettingsPut.properties,
  updatedAt: Nullable(Time),
  updatedBy: Nullable(Type.String()),
})
export type ApprovalSettings = Static<typeof ApprovalSettings>
