import {
  type Compilable,
  type CompiledQuery,
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
  type SelectQueryBuilder,
  sql,
} from 'kysely'
import { sendCompiled, type TenantQueries } from './queries.ts'
import type { Tables } from './tables.ts'

/** Stands for a value while a query is compiled. */
class Hole {
  readonly key: string
  constructor(key: string) {
    this.key = key
  }
}

const compiler = new Kysely<Tables>({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createQueryCompiler: () => new PostgresQueryCompiler(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createDriver: () => new DummyDriver(),
  },
})

/**
 * A query that is compiled once and sent often: `build` writes it with holes in place of values, the returned function
 * fills them. Compiling is most of what Kysely costs; limits belong into it as literals (`sql.lit`), since PostgreSQL
 * plans a parameter limit anew at each call.
 *
 *     const find = prepare<{ id: string }>()((db, value) => db.selectFrom('agents').selectAll().where('id', '=', value.id))
 *     const [agent] = await find(tenant.rows, { id })
 */
export function prepare<V extends object>() {
  return <R>(build: (db: Kysely<Tables>, value: V) => Compilable<R>) => {
    let compiled: CompiledQuery<R> | undefined
    return (queries: TenantQueries, values: V): Promise<R[]> => {
      compiled ??= build(compiler, holes<V>()).compile()
      return sendFilled(queries, compiled, values)
    }
  }
}

/** Where a page begins: behind the row with this time and id. */
export interface After {
  readonly time: Date
  readonly id: string
}

/**
 * A list in pages, newest first, compiled once per limit and set of filters that are given. `build` writes the query
 * without order and limit; a filter is added for each value that is not undefined. Reads one row more than `limit`,
 * which says whether there is a next page.
 *
 *     const list = preparePage<{ agentId?: string }>()('created_at', (db) => db.selectFrom('sessions').select(['id', 'created_at']),
 *       { agentId: (query, value) => query.where('agent_id', '=', value) })
 */
export function preparePage<F extends object>() {
  return <O>(
    timeColumn: string,
    build: (db: Kysely<Tables>) => SelectQueryBuilder<any, any, O>,
    filters: {
      [K in keyof F]-?: (query: SelectQueryBuilder<any, any, O>, value: any) => SelectQueryBuilder<any, any, O>
    },
    idColumn = 'id',
  ) => {
    const variants = new Map<string, CompiledQuery<O>>()
    return (queries: TenantQueries, limit: 20 | 50 | 100, after: After | null, given: F): Promise<O[]> => {
      const names = (Object.keys(filters) as (keyof F & string)[]).filter((name) => given[name] !== undefined)
      const key = [limit, after ? 'after' : 'first', ...names].join(' ')
      let compiled = variants.get(key)
      if (!compiled) {
        const value = holes<F & After>()
        let query = build(compiler)
        for (const name of names) query = filters[name](query, value[name])
        const [time, id] = [sql.ref(timeColumn), sql.ref(idColumn)]
        if (after) query = query.where(sql<boolean>`(${time}, ${id}) < (${value.time}::timestamptz, ${value.id}::uuid)`)
        compiled = query
          .orderBy(time, 'desc')
          .orderBy(id, 'desc')
          .limit(sql.lit(limit + 1))
          .compile()
        variants.set(key, compiled)
      }
      return sendFilled(queries, compiled, { ...given, ...after })
    }
  }
}

function holes<V extends object>(): V {
  return new Proxy({}, { get: (_, key) => new Hole(String(key)) }) as V
}

async function sendFilled<R>(queries: TenantQueries, compiled: CompiledQuery<R>, values: object): Promise<R[]> {
  const parameters = compiled.parameters.map((one) => (one instanceof Hole ? (values as any)[one.key] : one))
  const { rows } = await sendCompiled<R>(queries, { ...compiled, parameters })
  return rows
}
