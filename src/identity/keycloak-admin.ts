import { randomBytes } from 'node:crypto'
import { AppError } from '../errors.ts'
import { type AdminApi, type AdminApiOptions, createAdminApi } from './admin-api.ts'
import { ensureFirstAdmin, type FirstAdmin } from './first-admin.ts'

export interface KeycloakAdminOptions extends AdminApiOptions {
  /** Makes one-time passwords; default: random, and within keycloak/realm.json's policy. */
  readonly newPassword?: () => string
}

export interface EnsuredOrganization {
  readonly id: string
  /** Whether this call made it, rather than found it. */
  readonly created: boolean
  readonly admin: FirstAdmin
}

export interface Membership {
  readonly roles: string[]
  readonly email: string | null
  readonly name: string | null
}

export interface KeycloakAdmin {
  /**
   * Makes the organization, its four role groups and its first admin, or whatever of it is missing: after a crash, repeat
   * the call. Call it only for an organization that has no workspace yet. Throws conflict when name or alias is taken, or
   * when somebody else is admin already.
   */
  ensureOrganization(wanted: { alias: string; name: string; adminEmail: string }): Promise<EnsuredOrganization>
  /** The person's present roles; null when there is no such member, or person or organization are disabled. */
  membership(organizationId: string, userId: string): Promise<Membership | null>
  /** The enabled organizations that the person belongs to. */
  organizationsOf(userId: string): Promise<{ id: string; alias: string; name: string }[]>
  /** Ends every sign-in of the person; gives Keycloak's clock of that moment (whole seconds). */
  signOut(userId: string): Promise<Date>
  /** Whether Keycloak answers and knows us. */
  healthy(): Promise<boolean>
}

/** Fixed in keycloak/realm.json, since looking it up would need the right to read every client. */
const apiClient = 'e9912e00-0000-4000-8000-0000000000a1'

/** Groups of every organization, and the client role of enginex-api that each gives. */
const roleOfGroup = {
  'tenant-admins': 'tenant-admin',
  builders: 'builder',
  operators: 'operator',
  auditors: 'auditor',
} as const

/** What EngineX does in Keycloak, with the rights manage-organizations and manage-users and no other. */
export function createKeycloakAdmin(options: KeycloakAdminOptions): KeycloakAdmin {
  const api = createAdminApi(options)
  const newPassword = options.newPassword ?? (() => `Ex1-${randomBytes(15).toString('base64url')}`)
  return {
    async ensureOrganization({ alias, name, adminEmail }) {
      const { id, created } = await ensureBare(api, alias, name)
      const groups = await ensureGroups(api, id)
      const admins = groups.get('tenant-admins')!
      const admin = await ensureFirstAdmin(api, { id, admins }, adminEmail.toLowerCase(), newPassword)
      return { id, created, admin }
    },
    membership: async (organizationId, userId) => await readMembership(api, organizationId, userId),
    async organizationsOf(userId) {
      const path = `/organizations/members/${encodeURIComponent(userId)}/organizations`
      const { body } = await api.call<{ id: string; alias: string; name: string; enabled: boolean }[]>('GET', path)
      return body.filter(({ enabled }) => enabled).map(({ id, alias, name }) => ({ id, alias, name }))
    },
    async signOut(userId) {
      const { date } = await api.call('POST', `/users/${encodeURIComponent(userId)}/logout`, undefined, [404])
      return date
    },
    async healthy() {
      try {
        await api.call('GET', '/organizations?max=1')
        return true
      } catch {
        return false
      }
    },
  }
}

/** Create first, look afterwards: of two calls at once, one makes it and the other finds it. */
async function ensureBare(api: AdminApi, alias: string, name: string): Promise<{ id: string; created: boolean }> {
  const made = await api.call('POST', '/organizations', { alias, name, enabled: true }, [409])
  if (made.createdId && made.status !== 409) return { id: made.createdId, created: true }
  const query = new URLSearchParams({ search: name, exact: 'true' })
  const { body } = await api.call<{ id: string; alias: string; name: string }[]>('GET', `/organizations?${query}`)
  const same = body.find((one) => one.alias === alias && one.name === name)
  if (!same) throw new AppError('conflict', 'another organization has this alias or this name')
  return { id: same.id, created: false }
}

async function ensureGroups(api: AdminApi, organizationId: string): Promise<Map<string, string>> {
  const path = `/organizations/${organizationId}/groups`
  const { body } = await api.call<{ id: string; name: string }[]>('GET', `${path}?max=1000`)
  const groups = new Map(body.map(({ name, id }) => [name, id]))
  for (const [name, role] of Object.entries(roleOfGroup)) {
    const id = groups.get(name) ?? (await api.call<{ id: string }>('POST', path, { name })).body.id
    groups.set(name, id)
    const mappings = `${path}/${id}/role-mappings/clients/${apiClient}`
    const available = await api.call<{ id: string; name: string }[]>('GET', `${mappings}/available`)
    // What the group has already is not available any more.
    const missing = available.body.filter((one) => one.name === role)
    if (missing.length > 0) await api.call('POST', mappings, missing)
  }
  return groups
}

interface Person {
  readonly enabled: boolean
  readonly email?: string
  readonly firstName?: string
  readonly lastName?: string
}

async function readMembership(api: AdminApi, organizationId: string, userId: string): Promise<Membership | null> {
  const base = `/organizations/${encodeURIComponent(organizationId)}`
  const memberPath = `${base}/members/${encodeURIComponent(userId)}`
  const [organization, member] = await Promise.all([
    api.call<{ enabled: boolean }>('GET', base, undefined, [404]),
    api.call<Person>('GET', memberPath, undefined, [400, 404]),
  ])
  if (organization.status !== 200 || member.status !== 200) return null
  if (!organization.body.enabled || !member.body.enabled) return null
  const { body } = await api.call<{ path: string }[]>('GET', `${memberPath}/groups?max=1000`)
  const { email, firstName, lastName } = member.body
  return {
    roles: Object.entries(roleOfGroup).flatMap(([group, role]) =>
      body.some(({ path }) => path === `/${group}`) ? [role] : [],
    ),
    email: email ?? null,
    name: [firstName, lastName].filter(Boolean).join(' ') || null,
  }
}
