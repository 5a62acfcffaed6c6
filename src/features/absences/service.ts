import { AppError } from '../../errors.ts'
import type { TenantContext } from '../../tenancy/context.ts'
import { grants } from '../../tenancy/permissions.ts'
import { record } from '../audit/service.ts'
import { deleteRow, findMember, findRow, insertRow } from './repository.ts'
import type { Delegation, DelegationPut } from './schema.ts'

type Writer = TenantContext<'approvals:read' | 'approvals:write'>

const longestDays = 92

export async function getDelegation(tenant: TenantContext<'approvals:read'>): Promise<Delegation> {
  return toDelegation((await findRow(tenant.rows, { userId: tenant.userId }))[0])
}

/**
 * Lets somebody decide in the caller's place for a while, in place of what was set before. The delegate may decide what
 * the absent person may, and nothing else; a delegate's own delegate may not. Throws input_invalid.
 */
export async function putDelegation(
  tenant: Writer,
  { delegateId, startsAt, endsAt }: DelegationPut,
): Promise<Delegation> {
  return await tenant.transaction(async (tx) => {
    const invalid = (path: string, reason: string) =>
      new AppError('input_invalid', 'this delegation cannot work', { faults: [{ path, reason }] })
    const delegate = await findMember(tx, delegateId)
    if (delegateId === tenant.userId) throw invalid('/delegateId', 'must be somebody else')
    if (delegate?.status !== 'active' || delegate.kind !== 'user' || !grants(delegate.roles, 'approvals:write')) {
      throw invalid('/delegateId', 'must be a member who may decide approvals')
    }
    const [start, end] = [Date.parse(startsAt), Date.parse(endsAt)]
    if (end <= start) throw invalid('/endsAt', 'must be later than startsAt')
    if (end <= delegate.now.getTime()) throw invalid('/endsAt', 'is over already')
    if (end - start > longestDays * 86_400_000) throw invalid('/endsAt', `at most ${longestDays} days after startsAt`)
    await deleteRow(tx, tenant.userId)
    const row = await insertRow(tx, { delegate_id: delegateId, starts_at: startsAt, ends_at: endsAt })
    if (!row) throw new AppError('conflict', 'the delegation was changed at the same time; look at it and try again')
    const details = { delegateId, startsAt: row.starts_at.toISOString(), endsAt: row.ends_at.toISOString() }
    await record(tx, 'delegations.put', `member:${tenant.userId}`, details)
    return toDelegation(row)
  })
}

/** The caller decides for themselves again. Without a delegation it changes nothing. */
export async function deleteDelegation(tenant: Writer): Promise<Delegation> {
  return await tenant.transaction(async (tx) => {
    const row = await deleteRow(tx, tenant.userId)
    if (row) await record(tx, 'delegations.delete', `member:${tenant.userId}`, { delegateId: row.delegate_id })
    return toDelegation(undefined)
  })
}

function toDelegation(row: Awaited<ReturnType<typeof findRow>>[number] | undefined): Delegation {
  return {
    delegateId: row?.delegate_id ?? null,
    startsAt: row?.starts_at.toISOString() ?? null,
    endsAt: row?.ends_at.toISOString() ?? null,
  }
}
