import type { Doors, OpenedToken } from '../db/doors.ts'
import { AppError } from '../errors.ts'
import { type MirrorServices, mirrorMember } from '../features/members/service.ts'
import type { Identity } from '../identity/tokens.ts'

/** The tenant that a token opens, and the roles that the token claims in it. */
export interface OpenedTenant {
  readonly tenantId: string
  readonly roles: readonly string[]
}

export interface AdmissionOptions extends MirrorServices {
  readonly doors: Pick<Doors, 'openToken' | 'mirrorMembership' | 'isFresh'>
}

const refusalMs = 2000

/**
 * From a token to its tenant, once per token and process; what changes later is refused by app.enter at each statement.
 *
 * The organization claim is the only source of the tenant: exactly one entry, found by its id. A claim that differs
 * from the membership row, or a first visit without a row, is only a hint: what Keycloak's admin API says is written.
 */
export class Admission {
  readonly #options: AdmissionOptions
  readonly #opened = new WeakMap<Identity, Promise<OpenedTenant>>()
  readonly #reading = new Map<string, Promise<boolean>>()

  constructor(options: AdmissionOptions) {
    this.#options = options
  }

  /** Throws organization_required, organization_ambiguous, organization_unknown, membership_required or identity_unavailable. */
  open(identity: Identity): Promise<OpenedTenant> {
    let opened = this.#opened.get(identity)
    if (!opened) {
      opened = this.#open(identity)
      this.#opened.set(identity, opened)
      // A refusal is remembered for a moment: whoever insists does not reach Keycloak each time.
      opened.catch(() => setTimeout(() => this.#opened.delete(identity), refusalMs).unref())
    }
    return opened
  }

  /** For what is done outside of any tenant, where no app.enter asks. Throws token_stale after the person signed out. */
  async assertFresh({ userId, issuedAt }: Identity): Promise<void> {
    if (await this.#options.doors.isFresh(userId, new Date(issuedAt * 1000))) return
    throw new AppError('token_stale', 'this token was issued before a sign-out; get a new one')
  }

  async #open(identity: Identity): Promise<OpenedTenant> {
    const organization = theOnly(identity)
    const row = await this.#options.doors.openToken(organization.id, identity.userId)
    if (!row?.tenantStatus) throw new AppError('organization_unknown', 'this organization has no workspace here')
    if (!agrees(row, organization.roles)) await this.#readAnew(identity, organization.id, row)
    return { tenantId: row.tenantId, roles: organization.roles }
  }

  /** One question to Keycloak at a time per person and organization. */
  async #readAnew(identity: Identity, organizationId: string, row: OpenedToken): Promise<void> {
    const key = `${row.tenantId} ${identity.userId}`
    let reading = this.#reading.get(key)
    if (!reading) {
      reading = this.#mirror(identity, organizationId, row).finally(() => this.#reading.delete(key))
      this.#reading.set(key, reading)
    }
    if (!(await reading)) throw new AppError('membership_required', 'you are not a member of this organization')
  }

  async #mirror(identity: Identity, organizationId: string, row: OpenedToken): Promise<boolean> {
    const { tenantId, membershipStatus } = row
    const { userId, serviceAccount } = identity
    const kind = serviceAccount ? 'service-account' : 'user'
    const known = membershipStatus !== null
    try {
      return (await mirrorMember(this.#options, { tenantId, organizationId, userId, kind, known })) !== null
    } catch (error) {
      // Both the claim's and the row's roles are needed, so an old row gives nobody too much; without one, nobody comes in.
      if (membershipStatus === 'active') return true
      throw new AppError('identity_unavailable', 'the identity provider does not answer; try again', { cause: error })
    }
  }
}

function theOnly({ organizations }: Identity): { id: string; roles: readonly string[] } {
  const [first, ...others] = organizations
  if (others.length > 0) {
    const aliases = organizations.map(({ alias }) => alias).join(', ')
    throw new AppError(
      'organization_ambiguous',
      `this token names several organizations (${aliases}); ask for one of them`,
    )
  }
  if (!first?.id) {
    throw new AppError(
      'organization_required',
      'this token names no organization; sign in with the scope organization:<alias>',
    )
  }
  return { id: first.id, roles: first.roles }
}

function agrees(row: OpenedToken, claimed: readonly string[]): boolean {
  const held = row.roles ?? []
  return (
    row.membershipStatus === 'active' && held.length === claimed.length && claimed.every((role) => held.includes(role))
  )
}
