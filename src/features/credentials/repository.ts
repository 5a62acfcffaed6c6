import { sql } from 'kysely'
import { prepare, preparePage } from '../../db/prepared.ts'
import type { TenantQueries } from '../../db/queries.ts'

const shown = [
  'id',
  'name',
  'type',
  'version',
  'key_names',
  'allowed_hosts',
  'expires_at',
  'created_at',
  'created_by',
  'updated_at',
] as const

export const listRows = preparePage()('created_at', (db) => db.selectFrom('credentials').select(shown), {})

export const findRow = prepare<{ name: string }>()((db, value) =>
  db.selectFrom('credentials').select(shown).where('name', '=', value.name),
)

/** With the sealed secret, for whoever is about to use it. */
export const findSealed = prepare<{ name: string }>()((db, value) =>
  db
    .selectFrom('credentials')
    .select(['version', 'secret', 'allowed_hosts', sql<boolean>`expires_at <= now()`.as('expired')])
    .where('name', '=', value.name),
)

/** Those of the names that there are, and that have not expired. */
export async function findUsable(queries: TenantQueries, names: readonly string[]): Promise<string[]> {
  const rows = await queries
    .selectFrom('credentials')
    .select('name')
    .where('name', 'in', names)
    .where(sql<boolean>`coalesce(expires_at > now(), true)`)
    .execute()
  return rows.map((row) => row.name)
}

export interface CredentialRow {
  readonly type: string
  readonly key_names: string[]
  readonly secret: Buffer
  readonly allowed_hosts: string[]
  readonly expires_at: Date | null
}

/** @returns the row's id; undefined when somebody else has made it meanwhile */
export async function insertRow(tx: TenantQueries, name: string, row: CredentialRow): Promise<string | undefined> {
  const made = await tx
    .insertInto('credentials')
    .values({ name, ...row })
    .onConflict((at) => at.columns(['tenant_id', 'name']).doNothing())
    .returning('id')
    .executeTakeFirst()
  return made?.id
}

/** Replaces what is stored under the name as the version before. @returns undefined when that is not the version any more */
export async function replaceRow(
  tx: TenantQueries,
  name: string,
  version: number,
  row: CredentialRow,
): Promise<string | undefined> {
  const made = await tx
    .updateTable('credentials')
    .set({ ...row, version, updated_at: sql`now()` })
    .where('name', '=', name)
    .where('version', '=', version - 1)
    .returning('id')
    .executeTakeFirst()
  return made?.id
}

export async function deleteRow(tx: TenantQueries, name: string) {
  return await tx.deleteFrom('credentials').where('name', '=', name).returning(shown).executeTakeFirst()
}
