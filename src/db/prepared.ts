import {
  type Compilable,
  type CompiledQuery,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
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
    createDriver: () => {
      throw new Error('this Kysely only compiles')
    },
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
    return async (queries: TenantQueries, values: V): Promise<R[]> => {
      compiled ??= build(compiler, new Proxy({}, { get: (_, key) => new Hole(String(key)) }) as V).compile()
      const parameters = compiled.parameters.map((one) => (one instanceof Hole ? values[one.key as keyof V] : one))
      const { rows } = await sendCompiled<R>(queries, { ...compiled, parameters })
      return rows
    }
  }
}
