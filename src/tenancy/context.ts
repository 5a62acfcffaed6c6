import type { Database } from '../db/database.ts'
import { queriesOf, type TenantQueries, transactionOf } from '../db/queries.ts'
import type { Scope } from '../db/scope.ts'
import { AppError } from '../errors.ts'
import { grants, type Permission } from './permissions.ts'

/** What only a run's worker, a trigger or a job of the platform may do. No role grants it; their own entries do. */
export type InnerPermission = 'runs:advance' | 'triggers:fire' | 'jobs:run'
export type Provable = Permission | InnerPermission

/** Write implies read. */
export type Implied<P extends Provable> = P extends `${infer R}:write` ? P | Extract<Provable, `${R}:read`> : P

/** What a service may ask for besides its own resource, by the permission that it was called with. The roles must grant it. */
const alsoUses = {
  'tools:write': ['credentials:read'],
  'agents:write': [],
  'runs:write': ['agents:read', 'agents:write'],
  'runs:read': ['agents:read', 'reports:read'],
  'triggers:write': ['agents:read'],
  'approvals:write': ['runs:read'],
} as const satisfies Partial<Record<Permission, readonly Permission[]>>
type AlsoUses = typeof alsoUses

/** What a run may do in the name of whoever started it; app.enter_starter has the same list. No run decides an approval. */
export type StarterPermission = Extract<Permission, 'runs:read' | 'runs:write' | 'agents:read' | 'reports:read'>

/** Who acts, as a token said it and as the guard will check it. */
export interface Member {
  readonly userId: string
  /** ISO 8601. */
  readonly issuedAt: string
  readonly roles: readonly string[]
}

/**
 * Who acts, in which tenant, with which proven permissions `P`: the one value that goes from the route to the rows.
 * A function that takes TenantContext<'agents:write'> cannot be called from a route that proved only 'agents:read'.
 */
export class TenantContext<in P extends Provable = never> {
  declare readonly proves: (permission: P) => void
  readonly #database: Database
  readonly #scope: Scope
  readonly #roles: readonly string[]
  #queries: TenantQueries | undefined
  #transactionOpen = false

  private constructor(database: Database, scope: Scope, roles: readonly string[]) {
    this.#database = database
    this.#scope = scope
    this.#roles = roles
  }

  /** For the API's door only: throws `forbidden` when the token's roles do not grant it; the database checks the row's. */
  static open<P extends Permission>(
    database: Database,
    tenantId: string,
    member: Member,
    permission: P,
  ): TenantContext<Implied<P>> {
    const { userId, issuedAt, roles } = member
    if (!grants(roles, permission)) throw new AppError('forbidden', `this needs the permission ${permission}`)
    return new TenantContext<Implied<P>>(database, { kind: 'member', tenantId, userId, issuedAt, permission }, roles)
  }

  /** For the worker that holds the run at this epoch; every statement throws `conflict` once another one took it. */
  static openRun(database: Database, tenantId: string, runId: string, epoch: number): TenantContext<'runs:advance'> {
    return new TenantContext<'runs:advance'>(database, { kind: 'run', tenantId, runId, epoch }, [])
  }

  /**
   * For what fires a trigger: it waits its turn on the trigger. Throws not_found for one that is disabled or gone,
   * organization_suspended, or owner_left.
   */
  static openTrigger(database: Database, tenantId: string, triggerId: string): TenantContext<'triggers:fire'> {
    return new TenantContext<'triggers:fire'>(database, { kind: 'trigger', tenantId, triggerId }, [])
  }

  /** For a job of the platform inside one tenant; its name is the actor. */
  static openSystem(database: Database, tenantId: string, job: string): TenantContext<'jobs:run'> {
    return new TenantContext<'jobs:run'>(database, { kind: 'system', tenantId, job }, [])
  }

  /**
   * What the run does for whoever started it: every statement throws `forbidden` unless that person is a member now whose
   * roles grant the permission, and `conflict` as the run's own do.
   */
  forStarter<P extends StarterPermission>(
    this: TenantContext<'runs:advance'>,
    permission: P,
  ): TenantContext<Implied<P>> {
    const { tenantId, runId, epoch } = this.#scope as Extract<Scope, { kind: 'run' }>
    return new TenantContext<Implied<P>>(this.#database, { kind: 'starter', tenantId, runId, epoch, permission }, [])
  }

  get tenantId(): string {
    return this.#scope.tenantId
  }

  /** The acting person's id; throws where none acts. */
  get userId(): string {
    if (this.#scope.kind !== 'member') throw new Error('no person acts here')
    return this.#scope.userId
  }

  /** Lets the database check who acts, where no query comes first: before something is taken in, or where none is needed. */
  async prove(): Promise<void> {
    await this.#database.read(this.#scope, { name: 'prove', text: 'select' })
  }

  /** Queries of one round trip each. Throws while a transaction is open: they would not see what it did. */
  get rows(): TenantQueries {
    if (this.#transactionOpen) throw new Error("a transaction is open: use its own queries, not the context's")
    this.#queries ??= queriesOf(this.#database, this.#scope)
    return this.#queries
  }

  /** One transaction; commits when `work` resolves. Keep network calls and files outside. */
  async transaction<T>(work: (tx: TenantQueries) => Promise<T>): Promise<T> {
    if (this.#transactionOpen) throw new Error('a transaction is open already')
    this.#transactionOpen = true
    try {
      return await transactionOf(this.#database, this.#scope, work)
    } finally {
      this.#transactionOpen = false
    }
  }

  /** The same actor with a permission that `P` lets its holder use, from a fixed list; the database checks it as any other. */
  as<W extends P & keyof AlsoUses, R extends AlsoUses[W][number] & Permission>(from: W, to: R): TenantContext<R> {
    if (!(alsoUses[from] as readonly Permission[]).includes(to)) throw new Error(`${from} does not let you use ${to}`)
    if (this.#scope.kind === 'starter')
      return new TenantContext<R>(this.#database, { ...this.#scope, permission: to }, [])
    const { tenantId, issuedAt } = this.#scope as Extract<Scope, { kind: 'member' }>
    return TenantContext.open(
      this.#database,
      tenantId,
      { userId: this.userId, issuedAt, roles: this.#roles },
      to,
    ) as TenantContext<R>
  }
}
