import { type Static, Type } from 'typebox'
import { Id, Nullable, Strict, Time } from '../schema.ts'

/** From `startsAt` on and until `endsAt`, the delegate may decide in the place of the person who set it. */
export const DelegationPut = Strict({ delegateId: Id, startsAt: Time, endsAt: Time })
export type DelegationPut = Static<typeof DelegationPut>

/** Nobody decides in this person's place while these are null. */
export const Delegation = Type.Object({
  delegateId: Nullable(Id),
  startsAt: Nullable(Time),
  endsAt: Nullable(Time),
})
export type Delegation = Static<typeof Delegation>
