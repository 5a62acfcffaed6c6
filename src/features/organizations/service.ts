import type { Static } from 'typebox'
import type { OrganizationRow } from '../../db/doors.ts'
import { AppError, notFound } from '../../errors.ts'
import { grants, permissions } from '../../tenancy/permissions.ts'
import type { Person } from '../../tenancy/route.ts'
import { mirrorMember } from '../members/service.ts'
import { type PageInput, pageOf, readCursor } from '../pages.ts'
import type { Services } from '../services.ts'
import type {
  Organization,
  OrganizationCreate,
  OrganizationCreated,
  OrganizationList,
  OwnOrganization,
} from './schema.ts'

/** Cursors of the platform's list belong to no tenant. */
const platform = 'platform'

/**
 * Keycloak's organization first, then the tenant: whoever finds only the first half repeats the call, and it completes.
 * Throws `conflict` when the alias is taken by an organization that is complete, so that nobody becomes its admin by mistake.
 */
export async function createOrganization(
  { doors, keycloak, region }: Services,
  person: Person,
  { alias, name, adminEmail }: OrganizationCreate,
): Promise<OrganizationCreated> {
  const taken = () => new AppError('conflict', `an organization with the alias ${alias} exists already`)
  if (await doors.findOrganization(alias)) throw taken()
  const { id, admin } = await keycloak.ensureOrganization({ alias, name, adminEmail })
  await doors.provisionTenant({ id, alias, name, region }, actorOf(person))
  const row = await doors.findOrganization(alias)
  if (!row) throw taken()
  return { organization: toOrganization(row), admin }
}

export async function listOrganizations(
  { doors }: Services,
  { limit = 20, cursor }: PageInput,
): Promise<Static<typeof OrganizationList>> {
  const rows = await doors.listOrganizations(readCursor(platform, cursor), limit + 1)
  const position = (row: OrganizationRow) => ({ time: row.created_at, id: row.organization_id })
  return pageOf(platform, rows, limit, position, toOrganization)
}

/** Acts on the next statement of everybody in it. Keycloak's organization stays enabled: its people may belong elsewhere. */
export async function setOrganizationStatus(
  { doors }: Services,
  person: Person,
  organizationId: string,
  status: 'active' | 'suspended',
): Promise<Organization> {
  const row = await doors.setTenantStatus(organizationId, status, actorOf(person))
  if (!row) throw notFound('organization')
  return toOrganization(row)
}

/** What this person may switch to. Memberships that only Keycloak knows yet are written down here; when it is down, those known are shown. */
export async function listOwnOrganizations(
  services: Services,
  { userId, serviceAccount }: Person,
): Promise<{ items: OwnOrganization[] }> {
  const { doors, keycloak } = services
  const kind = serviceAccount ? 'service-account' : 'user'
  const known = await doors.listUserTenants(userId)
  const found = await keycloak.organizationsOf(userId).catch(() => [])
  const unknown = found.filter(({ id }) => !known.some((row) => row.organization_id === id))
  for (const { id: organizationId } of unknown) {
    const row = await doors.openToken(organizationId, userId)
    if (row?.tenantStatus !== 'active') continue
    const { tenantId, membershipStatus } = row
    await mirrorMember(services, { tenantId, organizationId, userId, kind, known: membershipStatus !== null })
  }
  const rows = unknown.length > 0 ? await doors.listUserTenants(userId) : known
  return {
    items: rows.map(({ organization_id: id, alias, name, roles }) => {
      return { id, alias, name, roles, permissions: permissions.filter((permission) => grants(roles, permission)) }
    }),
  }
}

/** Ends every sign-in of this person in Keycloak, then every token already issued, by Keycloak's own clock. */
export async function signOutEverywhere(
  { doors, keycloak }: Services,
  { userId }: Person,
): Promise<{ signedOutAt: string }> {
  const signedOutAt = await keycloak.signOut(userId)
  // Tokens carry whole seconds: one issued in the same second as the sign-out must not outlive it.
  await doors.signOutUser(userId, new Date(signedOutAt.getTime() + 1000))
  return { signedOutAt: signedOutAt.toISOString() }
}

function actorOf({ userId }: Person): string {
  return `platform:${userId}`
}

function toOrganization(row: OrganizationRow): Organization {
  const { organization_id: id, alias, name, status, region, created_at } = row
  return { id, alias, name, status, region, createdAt: created_at.toISOString() }
}
