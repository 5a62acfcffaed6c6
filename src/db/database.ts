import type pg from 'pg'
import { type ConnectionOptions, exclusivePool, prepareEntries, SharedConnections } from './connections.ts'
import { type TextDelta, textChannel } from './notifications.ts'
import { translate } from './refusals.ts'
import { entries, entryKinds, entryValues, type Scope, signatureOf } from './scope.ts'
import { type Rows, ScopedQuery, type Statement } from './statement.ts'
import { createTurns } from './turns.ts'

/** Runs statements of a transaction, one after the other, on the transaction's own connection. */
export type Send = (statement: Statement) => Promise<Rows>

const ready = new WeakSet<object>()
/** How long a write waits for its turn, as long as for a connection. */
const patienceMs = 5000

/**
 * The database of one region. Every statement names its scope; the few that look across tenants are the doors
 * (doors.ts). Connections are never handed out.
 */
export class Database {
  readonly #shared: SharedConnections
  readonly #pool: pg.Pool
  readonly #inTurn: ReturnType<typeof createTurns>
  /** Those that this process's role may call. */
  #entries: readonly Scope['kind'][] = []

  constructor(options: ConnectionOptions) {
    this.#shared = new SharedConnections(options)
    this.#pool = exclusivePool(options)
    // Whatever one tenant's writes wait for, half of the connections are left for the others.
    this.#inTurn = createTurns(Math.ceil(this.#pool.options.max / 2), patienceMs)
  }

  /** Connects; refuses to run as a role that row level security does not bind, or over an unprotected table. */
  async start(): Promise<this> {
    await this.#assertBound()
    await this.#findEntries()
    await this.#shared.start()
    return this
  }

  async stop(): Promise<void> {
    await this.#shared.stop()
    await this.#pool.end()
  }

  /** Whether the database answers now; never throws. */
  async answers(): Promise<boolean> {
    return await this.door({ text: 'select 1' }).then(
      () => true,
      () => false,
    )
  }

  /**
   * One read, one round trip, on a connection that other tenants use at the same time. What no person asks goes the way of
   * writes: the entries of a run and of a trigger lock its row.
   */
  async read(scope: Scope, statement: Statement): Promise<Rows> {
    if (scope.kind !== 'member') return await this.write(scope, statement)
    try {
      return await this.#shared.query(scope, statement)
    } catch (error) {
      throw translate(error)
    }
  }

  /** One write, one round trip, on a connection of its own: a lock wait holds up nobody else. */
  write(scope: Scope, statement: Statement): Promise<Rows> {
    return this.#holdFor(
      scope,
      (client) =>
        new Promise((resolve, reject) => {
          const query = new ScopedQuery(scope, statement, (error, rows) =>
            error ? reject(error) : resolve(rows as Rows),
          )
          client.query(query as any)
        }),
    )
  }

  /**
   * A transaction that is checked once, at its start. BEGIN and the entry ride in front of the first statement
   * without waiting. Commits when `work` resolves; a swallowed failure inside it still rolls back and throws.
   */
  transaction<T>(scope: Scope, work: (send: Send) => Promise<T>): Promise<T> {
    return this.#holdFor(scope, async (client) => {
      const { name, text } = entries[scope.kind]
      const head = Promise.all([client.query('begin'), client.query({ name, text, values: entryValues(scope) })])
      head.catch(() => undefined)
      let open = true
      const send: Send = (statement) => {
        if (!open) throw new Error('this transaction has ended')
        return client.query(extended(statement)) as Promise<any>
      }
      let result: T
      try {
        result = await work(send)
        await head
      } catch (error) {
        open = false
        // The entry's own refusal, not the "current transaction is aborted" that follows it.
        const refusal = await head.then(
          () => undefined,
          (reason) => reason,
        )
        await client.query('rollback')
        throw refusal ?? error
      }
      open = false
      const { command } = await client.query('commit')
      if (command !== 'COMMIT') throw new Error('the transaction was rolled back: one of its statements failed')
      return result
    })
  }

  /** Independent statements that succeed or fail together, in one round trip. Results come in the order given. */
  batch(scope: Scope, statements: readonly Statement[]): Promise<Rows[]> {
    return this.transaction(scope, (send) => Promise.all(statements.map(send)))
  }

  /** One of the SQL functions that look across tenants. Called by doors.ts only; test/architecture.test.ts keeps it so. */
  door(statement: Statement): Promise<Rows> {
    return this.#hold((client) => client.query(extended(statement)) as Promise<any>)
  }

  /** Sends texts of models to whoever watches them: of no table, behind no policy, so nothing else goes this way. */
  async tellTexts(texts: readonly TextDelta[]): Promise<void> {
    await this.#hold((client) =>
      client.query(
        extended({ name: 'tell', text: 'select pg_notify($1, $2)', values: [textChannel, JSON.stringify(texts)] }),
      ),
    )
  }

  #holdFor<T>({ tenantId }: Scope, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    return this.#inTurn(tenantId, () => this.#hold(work))
  }

  async #hold<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    let client: pg.PoolClient | undefined
    let broken = true
    try {
      client = await this.#pool.connect()
      if (!ready.has(client)) {
        await prepareEntries(client, this.#entries)
        ready.add(client)
      }
      const result = await work(client)
      broken = !isIdle(client)
      return result
    } catch (error) {
      broken = !client || !isIdle(client)
      throw translate(error)
    } finally {
      // A connection that is not provably idle is destroyed, never used again.
      client?.release(broken)
    }
  }

  async #assertBound(): Promise<void> {
    const { rows } = await this.#pool.query({
      text: `select rolsuper or rolbypassrls as unbound,
                    exists (select from pg_roles r
                             where r.oid <> me.oid and r.rolname like 'enginex\\_%' and pg_has_role(r.oid, 'member')
                               and (r.rolname <> 'enginex_app' or pg_has_role(r.oid, 'set'))) as another,
                    array(select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
                           where n.nspname = 'app' and c.relkind in ('r', 'p', 'v', 'm', 'f')
                             and has_table_privilege(c.oid, 'select, insert, update, delete')
                             and not (c.relrowsecurity and c.relforcerowsecurity)) as unprotected
               from pg_roles me where rolname = current_user`,
    })
    const [found] = rows as { unbound: boolean; another: boolean; unprotected: string[] }[]
    if (!found || found.unbound || found.another) {
      throw new Error(
        'the database role is not bound by row level security, or can become one that is not: log in as enginex_api or enginex_worker',
      )
    }
    if (found.unprotected.length > 0) {
      throw new Error(
        `these relations are open to the application without row level security: ${found.unprotected.join(', ')}`,
      )
    }
  }

  async #findEntries(): Promise<void> {
    const { rows } = await this.#pool.query<{ kind: Scope['kind'] }>({
      text: `select kind from unnest($1::text[], $2::text[]) as entry (kind, signature)
              where has_function_privilege(signature, 'execute')`,
      values: [entryKinds, entryKinds.map(signatureOf)],
    })
    this.#entries = rows.map(({ kind }) => kind)
  }
}

/** Never the simple protocol, which would take several statements in one text. */
function extended(statement: Statement): pg.QueryConfig {
  return { ...statement, values: [...(statement.values ?? [])], queryMode: 'extended' } as pg.QueryConfig
}

function isIdle(client: pg.PoolClient): boolean {
  return (client as any).getTransactionStatus() === 'I'
}
