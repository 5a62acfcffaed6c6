import type { Database } from './database.ts'

/** What the database knows of a token's organization and person; null when the organization has no tenant here. */
export interface OpenedToken {
  readonly tenantId: string
  readonly region: string
  readonly tenantStatus: string
  readonly membershipStatus: string | null
  readonly roles: readonly string[] | null
}

export interface OrganizationRow {
  readonly organization_id: string
  readonly alias: string
  readonly name: string
  readonly status: 'active' | 'suspended'
  readonly region: string
  readonly created_at: Date
}

/** A run that this worker has just been given; its epoch is the right to write. */
export interface TakenRun {
  readonly tenantId: string
  readonly runId: string
  readonly sessionId: string
  readonly epoch: number
  readonly seq: number
  /** How often its workers fell silent since its last checkpoint. */
  readonly takeovers: number
}

/** A notification that this worker has just been given to deliver, and its organization's alias. */
export interface TakenDelivery {
  readonly tenantId: string
  readonly alias: string
  readonly deliveryId: string
  /** Counts from 1. */
  readonly attempt: number
}

/** A timer that is due when waitMs is 0. */
export interface DueTrigger {
  readonly tenantId: string
  readonly triggerId: string
  readonly waitMs: number
}

/** Whose trigger a message is for; `previous` may have signed it as well, while the secret is replaced. */
export interface Hook {
  readonly tenantId: string
  readonly secret: Buffer
  readonly version: number
  readonly previous: Buffer | null
}

/** The SQL functions that look across tenants, one method each. A catalog test holds this list against the database's. */
export class Doors {
  readonly #database: Database

  constructor(database: Database) {
    this.#database = database
  }

  async openToken(organizationId: string, userId: string): Promise<OpenedToken | null> {
    const [row] = await this.#call<any>('open_token', [organizationId, userId])
    if (!row) return null
    const { tenant_id: tenantId, region, tenant_status: tenantStatus, membership_status: membershipStatus, roles } = row
    return { tenantId, region, tenantStatus, membershipStatus, roles }
  }

  /** Writes what Keycloak said of a membership; `notBefore` refuses tokens issued until then. */
  async mirrorMembership(member: {
    tenantId: string
    userId: string
    kind: 'user' | 'service-account'
    status: 'active' | 'removed'
    roles: readonly string[]
    email: string | null
    name: string | null
    notBefore: Date | null
  }): Promise<void> {
    const { tenantId, userId, kind, status, roles, email, name, notBefore } = member
    await this.#call('mirror_membership', [tenantId, userId, kind, status, roles, email, name, notBefore])
  }

  listUserTenants(userId: string) {
    type Row = { organization_id: string; alias: string; name: string; roles: string[] }
    return this.#call<Row>('list_user_tenants', [userId])
  }

  async signOutUser(userId: string, notBefore: Date): Promise<void> {
    await this.#call('sign_out_user', [userId, notBefore])
  }

  /** Whether the person has not signed out since the token was issued. For what is done outside of any tenant. */
  async isFresh(userId: string, issuedAt: Date): Promise<boolean> {
    const [row] = await this.#call<{ is_fresh: boolean }>('is_fresh', [userId, issuedAt])
    return row?.is_fresh === true
  }

  async provisionTenant(organization: { id: string; alias: string; name: string; region: string }, actor: string) {
    const { id, alias, name, region } = organization
    const [row] = await this.#call<{ provision_tenant: string }>('provision_tenant', [id, alias, name, region, actor])
    return row!.provision_tenant
  }

  async findOrganization(alias: string): Promise<OrganizationRow | undefined> {
    return (await this.#call<OrganizationRow>('find_organization', [alias]))[0]
  }

  listOrganizations(before: { time: Date; id: string } | null, limit: number): Promise<OrganizationRow[]> {
    return this.#call('list_organizations', [before?.time ?? null, before?.id ?? null, limit])
  }

  async setTenantStatus(organizationId: string, status: 'active' | 'suspended', actor: string) {
    const [row] = await this.#call<OrganizationRow>('set_tenant_status', [organizationId, status, actor])
    return row
  }

  async recordDenial(tenantId: string, actor: string, route: string, code: string, count: number): Promise<void> {
    await this.#call('record_denial', [tenantId, actor, route, code, count])
  }

  /** Up to `limit` runs: abandoned ones (silent for `silentMs`) first, then queued ones within each tenant's cap. */
  async takeRuns(workerId: string, limit: number, silentMs: number): Promise<TakenRun[]> {
    const rows = await this.#call<any>('take_runs', [workerId, limit, `${silentMs} milliseconds`])
    return rows.map((row) => ({
      tenantId: row.tenant_id,
      runId: row.run_id,
      sessionId: row.session_id,
      epoch: row.epoch,
      seq: row.seq,
      takeovers: row.takeovers,
    }))
  }

  /** Keeps the runs of a worker alive. Answers those that are still its own, with what a person asked of them. */
  async beatRuns(held: readonly { tenantId: string; runId: string; epoch: number }[]) {
    const columns = [held.map((run) => run.tenantId), held.map((run) => run.runId), held.map((run) => run.epoch)]
    const rows = await this.#call<{ run_id: string; requested: 'pause' | 'cancel' | null }>('beat_runs', columns)
    return new Map(rows.map((row) => [row.run_id, row.requested]))
  }

  /** Up to `limit` approvals whose time is over, in turn of their tenants. Whoever acts on one looks again, under its lock. */
  async dueApprovals(limit: number): Promise<{ tenantId: string; approvalId: string }[]> {
    const rows = await this.#call<{ tenant_id: string; approval_id: string }>('due_approvals', [limit])
    return rows.map((row) => ({ tenantId: row.tenant_id, approvalId: row.approval_id }))
  }

  /** Up to `limit` deliveries to try, at most `tenantLimit` of one tenant under way at once; its own for `leaseMs`. */
  async takeDeliveries(limit: number, tenantLimit: number, leaseMs: number): Promise<TakenDelivery[]> {
    const rows = await this.#call<any>('take_deliveries', [limit, tenantLimit, `${leaseMs} milliseconds`])
    return rows.map((row) => ({
      tenantId: row.tenant_id,
      alias: row.alias,
      deliveryId: row.delivery_id,
      attempt: row.attempt,
    }))
  }

  /** Tells whoever watches these sessions of what was recorded while their runs go on. */
  async announceSessions(sessions: readonly { readonly tenantId: string; readonly sessionId: string }[]) {
    const columns = [sessions.map((one) => one.tenantId), sessions.map((one) => one.sessionId)]
    await this.#call('announce_sessions', columns)
  }

  /** Up to `limit` timers that are due, fair between tenants; the last entry may be the next that is not. */
  async dueTriggers(limit: number): Promise<DueTrigger[]> {
    const rows = await this.#call<any>('due_triggers', [limit])
    return rows.map((row) => ({ tenantId: row.tenant_id, triggerId: row.trigger_id, waitMs: Number(row.wait_ms) }))
  }

  /** Null for a trigger that takes no messages: there is none, it is disabled, or its tenant is suspended. */
  async openHook(triggerId: string): Promise<Hook | null> {
    const [row] = await this.#call<any>('open_hook', [triggerId])
    if (!row) return null
    const { tenant_id: tenantId, secret, secret_version: version, previous_secret: previous } = row
    return { tenantId, secret, version, previous }
  }

  /** Disables what the trigger's owner owns, unless that owner may start sessions. */
  async disableOrphan(tenantId: string, triggerId: string): Promise<void> {
    await this.#call('disable_orphan', [tenantId, triggerId])
  }

  async #call<R>(door: string, values: readonly unknown[]): Promise<R[]> {
    const holes = values.map((_, index) => `$${index + 1}`).join(', ')
    const { rows } = await this.#database.door({
      name: `door_${door}`,
      text: `select * from app.${door}(${holes})`,
      values,
    })
    return rows as R[]
  }
}
