import { type Static, type TSchema, Type } from 'typebox'
import { oneOf, strict, Word, whole } from './schema-words.ts'

const some = <T extends TSchema>(item: T, maxItems: number, description: string) =>
  Type.Optional(Type.Array(item, { minItems: 1, maxItems, uniqueItems: true, description }))
const Minutes = whole(1, 525_600, 'Time to decide, in minutes; at most a year.')
const approves = 'approve holds only where the organization allows it; else it rejects.'

/** The rules of a policy, given how it names people: by address in a package, by id in an organization's own. */
export function policyRules<P extends Record<string, TSchema>>(people: P) {
  const stage = {
    roles: some(oneOf(['tenant-admin', 'operator'], 'A role.'), 2, 'Members with one of these roles may decide.'),
    ...people,
    quorum: Type.Optional(whole(1, 10, 'How many people must agree.', 1)),
  }
  const end = { afterMinutes: Type.Optional(Minutes), action: Type.Optional(oneOf(['reject', 'approve'], approves)) }
  const expiry = {
    afterMinutes: Minutes,
    action: oneOf(['escalate', 'reject', 'approve'], approves),
    escalateTo: Type.Optional(strict({ ...stage, ...end }, 'Who decides from then on, in place of the first.')),
  }
  return {
    ...stage,
    notRequester: Type.Optional(
      Type.Boolean({ default: false, description: 'Whoever started the run may not decide, nor their delegate.' }),
    ),
    expiry: Type.Optional(strict(expiry, 'What happens when nobody has decided in time.')),
  }
}

const Address = Type.String({ pattern: '^[^@\\s]+@[^@\\s]+$', maxLength: 254 })

export const ApprovalPolicy = strict({
  name: Word('Name of the policy, unique in the package.'),
  ...policyRules({ people: some(Address, 20, 'Members with one of these e-mail addresses may decide.') }),
})
export type ApprovalPolicy = Static<typeof ApprovalPolicy>

interface Stage {
  readonly roles?: readonly string[]
  readonly people?: readonly string[]
  readonly quorum?: number
}
interface Rules extends Stage {
  readonly expiry?: {
    readonly action: string
    readonly escalateTo?: Stage & { readonly afterMinutes?: number; readonly action?: string }
  }
}

/** What in a policy of the right shape makes no sense: JSON pointer and reason. */
export function checkPolicy(policy: Rules): { path: string; reason: string }[] {
  const { expiry } = policy
  const next = expiry?.escalateTo
  const faults = checkStage(policy, '')
  if (expiry && (expiry.action === 'escalate') !== (next !== undefined)) {
    faults.push({ path: '/expiry/escalateTo', reason: 'belongs to "action": "escalate", and only to it' })
  }
  if (next) faults.push(...checkStage(next, '/expiry/escalateTo'))
  if (next && (next.action === undefined) !== (next.afterMinutes === undefined)) {
    faults.push({ path: '/expiry/escalateTo', reason: 'afterMinutes and action belong together' })
  }
  return faults
}

function checkStage({ roles, people, quorum = 1 }: Stage, path: string): { path: string; reason: string }[] {
  if (!roles && !people) return [{ path, reason: 'must say who may decide: roles, people or both' }]
  if (roles || quorum <= (people?.length ?? 0)) return []
  return [{ path: `${path}/quorum`, reason: 'more people must agree than are named' }]
}
