import type { Static } from 'typebox'
import type { Doors } from '../../db/doors.ts'
import type { KeycloakAdmin } from '../../identity/keycloak-admin.ts'
import type { TenantContext } from '../../tenancy/context.ts'
import { type PageInput, pageOf, readCursor } from '../pages.ts'
import { listRows } from './repository.ts'
import type { Member, MemberList } from './schema.ts'

export async function listMembers(
  tenant: TenantContext<'members:read'>,
  { limit = 20, cursor }: PageInput,
): Promise<Static<typeof MemberList>> {
  const rows = await listRows(tenant.rows, limit, readCursor(tenant.tenantId, cursor), {})
  return pageOf(tenant.tenantId, rows, limit, (row) => ({ time: row.created_at, id: row.user_id }), toMember)
}

function toMember(row: Awaited<ReturnType<typeof listRows>>[number]): Member {
  const { user_id: userId, email, name, roles, status, last_seen_at } = row
  return {
    userId,
    email,
    name,
    roles,
    status: status as Member['status'],
    lastSeenAt: last_seen_at?.toISOString() ?? null,
  }
}

export interface MirrorServices {
  readonly doors: Pick<Doors, 'mirrorMembership'>
  readonly keycloak: Pick<KeycloakAdmin, 'membership'>
}

/**
 * Reads a membership anew from Keycloak and writes what it says. Throws what the admin API throws, and changes nothing then.
 * @returns the roles; null when Keycloak knows of no membership
 */
export async function mirrorMember(
  { doors, keycloak }: MirrorServices,
  member: {
    tenantId: string
    organizationId: string
    userId: string
    kind: 'user' | 'service-account'
    known: boolean
  },
): Promise<readonly string[] | null> {
  const { tenantId, organizationId, userId, kind, known } = member
  const found = await keycloak.membership(organizationId, userId)
  if (!found && !known) return null
  await doors.mirrorMembership({
    tenantId,
    userId,
    kind,
    status: found ? 'active' : 'removed',
    roles: found?.roles ?? [],
    email: found?.email ?? null,
    name: found?.name ?? null,
    notBefore: null,
  })
  return found?.roles ?? null
}
