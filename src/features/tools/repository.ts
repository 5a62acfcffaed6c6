import { sql } from 'kysely'
import { prepare, preparePage } from '../../db/prepared.ts'
import type { TenantQueries } from '../../db/queries.ts'
import type { McpTool } from '../../providers/mcp-answers.ts'

const columns = [
  'id',
  'name',
  'description',
  'transport',
  'url',
  'headers',
  'command',
  'allowed_tools',
  'timeout_ms',
  'version',
  'discovered_at',
  'created_at',
  'created_by',
] as const

export const listRows = preparePage()('created_at', (db) => db.selectFrom('mcp_servers').select(columns), {})

export const findRow = prepare<{ name: string }>()((db, value) =>
  db.selectFrom('mcp_servers').select(columns).select('tools').where('name', '=', value.name),
)

export async function findNames(queries: TenantQueries, names: readonly string[]): Promise<string[]> {
  const rows = await queries
    .selectFrom('mcp_servers')
    .select('name')
    .where('name', 'in', names)
    .limit(sql.lit(100))
    .execute()
  return rows.map(({ name }) => name)
}

export interface ServerValues {
  readonly description: string
  readonly transport: string
  readonly url: string | null
  readonly headers: string
  readonly command: string | null
  readonly allowed_tools: string
  readonly timeout_ms: number
}

/** Writes the configuration of this name; a change is a new version, of which nothing is discovered yet. */
export async function saveRow(tx: TenantQueries, name: string, values: ServerValues): Promise<string> {
  const { id } = await tx
    .insertInto('mcp_servers')
    .values({ name, ...values })
    .onConflict((conflict) =>
      conflict
        .columns(['tenant_id', 'name'])
        .doUpdateSet({ ...values, version: sql`mcp_servers.version + 1`, tools: null, discovered_at: null }),
    )
    .returning('id')
    .executeTakeFirstOrThrow()
  return id
}

/** Keeps what was discovered, unless the configuration has changed since. */
export async function saveTools(
  queries: TenantQueries,
  { id, version }: { id: string; version: number },
  tools: readonly McpTool[],
): Promise<void> {
  await queries
    .updateTable('mcp_servers')
    .set({ tools: JSON.stringify(tools), discovered_at: sql<Date>`now()` })
    .where('id', '=', id)
    .where('version', '=', version)
    .execute()
}

export async function deleteRow(tx: TenantQueries, name: string): Promise<string | undefined> {
  const row = await tx.deleteFrom('mcp_servers').where('name', '=', name).returning('id').executeTakeFirst()
  return row?.id
}

export async function countRows(tx: TenantQueries): Promise<number> {
  const { count } = await tx
    .selectFrom('mcp_servers')
    .select((eb) => eb.fn.countAll<string>().as('count'))
    .executeTakeFirstOrThrow()
  return Number(count)
}
