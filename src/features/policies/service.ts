import type { Static } from 'typebox'
import type { TenantQueries } from '../../db/queries.ts'
import { type ApprovalPolicy, checkPolicy } from '../../engine/policies.ts'
import { AppError, type Fault, notFound } from '../../errors.ts'
import type { TenantContext } from '../../tenancy/context.ts'
import { record } from '../audit/service.ts'
import { type PageInput, pageOf, readCursor } from '../pages.ts'
import {
  countRows,
  deleteRow,
  findRow,
  findSettings,
  listRows,
  membersAmong,
  writeRow,
  writeSettings,
} from './repository.ts'
import type { ApprovalSettings, ApprovalSettingsPut, Policy, PolicyList, PolicyPut } from './schema.ts'

type Reader = TenantContext<'policies:read'>
type Writer = TenantContext<'policies:read' | 'policies:write'>

const mostPolicies = 1000

export async function listPolicies(
  tenant: Reader,
  { limit = 20, cursor }: PageInput,
): Promise<Static<typeof PolicyList>> {
  const rows = await listRows(tenant.rows, limit, readCursor(tenant.tenantId, cursor), {})
  return pageOf(tenant.tenantId, rows, limit, (row) => ({ time: row.created_at, id: row.id }), toPolicy)
}

export async function getPolicy(tenant: Reader, name: string): Promise<Policy> {
  const [row] = await findRow(tenant.rows, { name })
  if (!row) throw notFound('policy')
  return toPolicy(row)
}

/** Takes the place of every package's policy of that name, for questions that are asked from now on. */
export async function putPolicy(tenant: Writer, name: string, policy: PolicyPut): Promise<Policy> {
  return await tenant.transaction(async (tx) => {
    const faults = await faultsIn(tx, policy)
    if (faults.length > 0) throw new AppError('input_invalid', 'this policy cannot work', { faults })
    const [{ count }] = (await countRows(tx, {})) as [{ count: string }]
    if (Number(count) >= mostPolicies && !(await findRow(tx, { name }))[0]) {
      throw new AppError('conflict', `an organization has at most ${mostPolicies} policies; delete one first`)
    }
    const row = await writeRow(tx, name, policy)
    await record(tx, 'policies.put', `policy:${row.id}`, { name })
    return toPolicy(row)
  })
}

/** @returns what was deleted; from now on the package's policy of that name holds again */
export async function deletePolicy(tenant: Writer, name: string): Promise<Policy> {
  return await tenant.transaction(async (tx) => {
    const row = await deleteRow(tx, name)
    if (!row) throw notFound('policy')
    await record(tx, 'policies.delete', `policy:${row.id}`, { name })
    return toPolicy(row)
  })
}

export async function getSettings(tenant: Reader): Promise<ApprovalSettings> {
  const [row] = await findSettings(tenant.rows, {})
  return {
    approveOnExpiry: row?.approve_on_expiry ?? false,
    updatedAt: row?.updated_at.toISOString() ?? null,
    updatedBy: row?.updated_by ?? null,
  }
}

/** Holds at once, for questions that were asked before as well. */
export async function putSettings(tenant: Writer, { approveOnExpiry }: ApprovalSettingsPut): Promise<ApprovalSettings> {
  await tenant.transaction(async (tx) => {
    await writeSettings(tx, approveOnExpiry)
    await record(tx, 'policies.settings', 'approval-settings', { approveOnExpiry })
  })
  return await getSettings(tenant)
}

/** Whether what nobody decided may be approved here. */
export async function mayApproveOnExpiry(tx: TenantQueries): Promise<boolean> {
  return (await findSettings(tx, {}))[0]?.approve_on_expiry === true
}

/** A question's rules from the moment it is asked. `deciders` are written as app.seats_of writes names. */
export interface Rules {
  readonly policy: (PolicyPut & { name: string }) | ApprovalPolicy | null
  readonly first: Stage
  readonly escalated: Stage | null
  readonly notRequester: boolean
  readonly afterMinutes: number | null
}
interface Stage {
  readonly deciders: readonly string[]
  readonly quorum: number
}

const whoMayDecide = { deciders: ['role:operator', 'role:tenant-admin'], quorum: 1 }

/** The rules for a node's policy: the organization's of that name, else the package's; without any, one person decides. */
export async function rulesFor(tx: TenantQueries, asked: ApprovalPolicy | null): Promise<Rules> {
  if (!asked) return { policy: null, first: whoMayDecide, escalated: null, notRequester: false, afterMinutes: null }
  const [own] = await findRow(tx, { name: asked.name })
  const policy = own ? { name: asked.name, ...(own.policy as PolicyPut) } : asked
  const { notRequester = false, expiry } = policy
  return {
    policy,
    first: stageOf(policy),
    escalated: expiry?.escalateTo ? stageOf(expiry.escalateTo) : null,
    notRequester,
    afterMinutes: expiry?.afterMinutes ?? null,
  }
}

function stageOf(one: {
  roles?: readonly string[]
  people?: readonly string[]
  members?: readonly string[]
  quorum?: number
}): Stage {
  const { roles = [], people = [], members = [], quorum = 1 } = one
  const deciders = [
    ...roles.map((role) => `role:${role}`),
    ...people.map((address) => `email:${address.toLowerCase()}`),
    ...members.map((id) => `member:${id.toLowerCase()}`),
  ]
  return { deciders, quorum }
}

async function faultsIn(tx: TenantQueries, policy: PolicyPut): Promise<Fault[]> {
  const next = policy.expiry?.escalateTo
  const named = ({ members, ...rest }: Pick<PolicyPut, 'roles' | 'members' | 'quorum'>) => ({
    ...rest,
    ...(members ? { people: members } : {}),
  })
  const { expiry } = policy
  const faults = checkPolicy({
    ...named(policy),
    ...(expiry ? { expiry: { ...expiry, ...(next ? { escalateTo: { ...next, ...named(next) } } : {}) } } : {}),
  })
  const ids = [...(policy.members ?? []), ...(next?.members ?? [])]
  const members = ids.length > 0 ? await membersAmong(tx, ids) : new Set()
  const strangers = ids.filter((id) => !members.has(id.toLowerCase()))
  return [
    ...faults.map(({ path, reason }) => ({ path, reason: reason.replace('people', 'members') })),
    ...strangers.map((id) => ({ path: '/members', reason: `${id} is no member` })),
  ]
}

function toPolicy(row: Awaited<ReturnType<typeof listRows>>[number]): Policy {
  const { name, policy, updated_at: updatedAt, updated_by: updatedBy } = row
  return { name, ...(policy as PolicyPut), updatedAt: updatedAt.toISOString(), updatedBy }
}
