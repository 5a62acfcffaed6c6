import { AppError } from '../errors.ts'
import type { AdminApi } from './admin-api.ts'

export interface FirstAdmin {
  readonly userId: string
  readonly email: string
  /** Whether the account was made for this organization. */
  readonly created: boolean
  /** Told once, and only for an account made here; to be changed at the first sign-in. */
  readonly oneTimePassword: string | null
}

interface User {
  readonly id: string
  readonly emailVerified?: boolean
  readonly requiredActions?: readonly string[]
}

/**
 * Makes the person a member and tenant admin, and the account as well if there is none. Joining the group comes last: as
 * long as it is empty, the work is unfinished. Throws conflict when the organization has another admin: whoever creates
 * organizations must not be able to enter one; and when somebody holds the address without having verified it.
 */
export async function ensureFirstAdmin(
  api: AdminApi,
  organization: { readonly id: string; readonly admins: string },
  email: string,
  newPassword: () => string,
): Promise<FirstAdmin> {
  const base = `/organizations/${organization.id}`
  const membersOfGroup = `${base}/groups/${organization.admins}/members`
  const admins = await api.call<{ id: string; email?: string }[]>('GET', `${membersOfGroup}?max=2`)
  if (admins.body.some((one) => one.email !== email)) {
    throw new AppError('conflict', 'this organization has another admin already')
  }
  const user = (await findUser(api, email)) ?? (await createUser(api, email))
  // An identity provider, or the person, may only have claimed it.
  if (!user.emailVerified) throw new AppError('conflict', `the account of ${email} has not verified this address`)
  await api.call('POST', `${base}/members`, user.id, [409])
  const unfinished = await isUnfinished(api, user, organization.id)
  const oneTimePassword = unfinished ? newPassword() : null
  if (oneTimePassword) {
    const credential = { type: 'password', value: oneTimePassword, temporary: true }
    await api.call('PUT', `/users/${user.id}/reset-password`, credential)
  }
  await api.call('PUT', `${membersOfGroup}/${user.id}`, undefined, [409])
  return { userId: user.id, email, created: unfinished, oneTimePassword }
}

async function findUser(api: AdminApi, email: string): Promise<User | undefined> {
  const query = new URLSearchParams({ email, exact: 'true' })
  const { body } = await api.call<User[]>('GET', `/users?${query}`)
  return body[0]
}

/** Whoever creates the organization vouches for the address. */
async function createUser(api: AdminApi, email: string): Promise<User> {
  const made = await api.call(
    'POST',
    '/users',
    { username: email, email, emailVerified: true, enabled: true, requiredActions: ['UPDATE_PASSWORD'] },
    [409],
  )
  const user = await findUser(api, email)
  if (!user) throw new AppError('conflict', `the e-mail address cannot be used (${made.status})`)
  return user
}

/**
 * An account of ours that nobody has used: it waits for its first password and belongs to nobody else. Anyone else's
 * password is none of our business, even if a new one is due.
 */
async function isUnfinished(api: AdminApi, user: User, organizationId: string): Promise<boolean> {
  if (!user.requiredActions?.includes('UPDATE_PASSWORD')) return false
  const organizations = await api.call<{ id: string }[]>('GET', `/organizations/members/${user.id}/organizations`)
  const identities = await api.call<unknown[]>('GET', `/users/${user.id}/federated-identity`)
  return identities.body.length === 0 && organizations.body.every(({ id }) => id === organizationId)
}
