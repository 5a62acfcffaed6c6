import { createHash } from 'node:crypto'
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type QueryResult,
} from 'kysely'
import type { Database } from './database.ts'
import type { Scope } from './scope.ts'
import type { Rows, Statement } from './statement.ts'
import type { Tables } from './tables.ts'

declare const brand: unique symbol
const sender: unique symbol = Symbol('sender')

type Sender = (statement: Statement, reads: boolean) => Promise<Rows>

/** Queries bound to one tenant: the only handle that a repository accepts. */
export type TenantQueries = Kysely<Tables> & { readonly [brand]: 'tenant'; readonly [sender]: Sender }

/** Each query is one round trip: reads share connections, everything else has one to itself. */
export function queriesOf(database: Database, scope: Scope): TenantQueries {
  return bind((statement, reads) => (reads ? database.read(scope, statement) : database.write(scope, statement)))
}

/** Runs `work` in one transaction; every query of it sees and joins the ones before. Keep network calls outside. */
export function transactionOf<T>(
  database: Database,
  scope: Scope,
  work: (tx: TenantQueries) => Promise<T>,
): Promise<T> {
  return database.transaction(scope, (send) => work(bind((statement) => send(statement))))
}

/** Sends a compiled query as it is. For prepared.ts, which compiles once and binds new values each time. */
export async function sendCompiled<R>(queries: TenantQueries, query: CompiledQuery<R>): Promise<QueryResult<R>> {
  const reads = query.query.kind === 'SelectQueryNode'
  const { rows, rowCount, command } = await queries[sender](
    { name: nameOf(query.sql), text: query.sql, values: query.parameters },
    reads,
  )
  return {
    rows: rows as R[],
    ...(command === 'SELECT' ? {} : { numAffectedRows: BigInt(rowCount ?? 0) }),
  }
}

function bind(send: Sender): TenantQueries {
  const handle: { queries?: TenantQueries } = {}
  const connection: DatabaseConnection = {
    executeQuery: (query) => sendCompiled(handle.queries!, query as CompiledQuery<any>),
    streamQuery: () => {
      throw new Error('rows are read in pages, never streamed')
    },
  }
  handle.queries = Object.assign(new Kysely<Tables>({ dialect: dialectOver(connection) }), {
    [sender]: send,
  }) as TenantQueries
  return handle.queries
}

function refuse(): never {
  throw new Error('use tenant.transaction: it checks who acts before anything runs')
}

function dialectOver(connection: DatabaseConnection): Dialect {
  return {
    createAdapter: () => new PostgresAdapter(),
    createQueryCompiler: () => new PostgresQueryCompiler(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createDriver: () => ({
      init: async () => undefined,
      acquireConnection: async () => connection,
      beginTransaction: refuse,
      commitTransaction: refuse,
      rollbackTransaction: refuse,
      releaseConnection: async () => undefined,
      destroy: async () => undefined,
    }),
  }
}

const names = new Map<string, string>()

/** The same text gets the same name, so PostgreSQL plans it once. Bounded: past 1,000 texts a statement goes unnamed. */
function nameOf(text: string): string | undefined {
  let name = names.get(text)
  if (!name && names.size < 1000) {
    name = `q${createHash('sha256').update(text).digest('base64url').slice(0, 22)}`
    names.set(text, name)
  }
  return name
}
