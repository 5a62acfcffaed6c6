import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'

const sqlFolder = new URL('../../sql/', import.meta.url)

/** Makes the cluster's roles with their passwords, and the database. Needs an administrator; repeating it changes nothing. */
export async function installRoles(
  adminUrl: string,
  { database, passwords }: { database: string; passwords: Readonly<Record<'owner' | 'api' | 'worker', string>> },
): Promise<void> {
  await connected(adminUrl, async (client) => {
    await client.query(await readFile(new URL('roles.sql', sqlFolder), 'utf8'))
    for (const [role, password] of Object.entries(passwords)) {
      await client.query(`alter role enginex_${role} password ${client.escapeLiteral(password)}`)
    }
    const { rowCount } = await client.query('select from pg_database where datname = $1', [database])
    const name = client.escapeIdentifier(database)
    if (!rowCount) await client.query(`create database ${name} owner enginex_owner`)
    await client.query(`revoke all on database ${name} from public`)
    await client.query(`revoke all on database ${name} from enginex_app`)
    await client.query(`grant connect on database ${name} to enginex_api, enginex_worker`)
  })
}

/**
 * Applies the migrations that are missing, each in a transaction of its own, and writes app.role_permissions.
 * Throws when a migration that was applied has changed since: they go forward only. Two at once wait for each other.
 * @returns the names of those that were applied
 */
export async function migrate(
  ownerUrl: string,
  rolePermissions: readonly { permission: string; roles: readonly string[] }[],
): Promise<string[]> {
  return await connected(ownerUrl, async (client) => {
    await client.query(`select pg_advisory_lock(hashtext('enginex.migrate'))`)
    await client.query('create schema if not exists migrations')
    await client.query(
      'create table if not exists migrations.applied (name text primary key, sha256 text not null, at timestamptz not null default now())',
    )
    const { rows } = await client.query<{ name: string; sha256: string }>('select name, sha256 from migrations.applied')
    const applied = new Map(rows.map((row) => [row.name, row.sha256]))
    const done: string[] = []
    for (const name of await migrationNames()) {
      const text = await readFile(new URL(`migrations/${name}`, sqlFolder), 'utf8')
      const sha256 = createHash('sha256').update(text).digest('hex')
      const before = applied.get(name)
      if (before === sha256) continue
      if (before)
        throw new Error(`sql/migrations/${name} was changed after it had been applied: write a new one instead`)
      await apply(client, name, text, sha256)
      done.push(name)
    }
    await writeRolePermissions(client, rolePermissions)
    return done
  })
}

async function apply(client: pg.Client, name: string, text: string, sha256: string): Promise<void> {
  await client.query('begin')
  try {
    await client.query(text)
    await client.query('insert into migrations.applied (name, sha256) values ($1, $2)', [name, sha256])
    await client.query('commit')
  } catch (error) {
    await client.query('rollback')
    throw new Error(`sql/migrations/${name} failed: ${(error as Error).message}`, { cause: error })
  }
}

async function writeRolePermissions(
  client: pg.Client,
  rows: readonly { permission: string; roles: readonly string[] }[],
): Promise<void> {
  await client.query('begin')
  await client.query('delete from app.role_permissions where permission <> all ($1)', [
    rows.map((row) => row.permission),
  ])
  await client.query(
    `insert into app.role_permissions (permission, roles)
     select e ->> 'permission', array(select jsonb_array_elements_text(e -> 'roles')) from jsonb_array_elements($1) e
     on conflict (permission) do update set roles = excluded.roles`,
    [JSON.stringify(rows)],
  )
  await client.query('commit')
}

async function migrationNames(): Promise<string[]> {
  const names = await readdir(fileURLToPath(new URL('migrations/', sqlFolder)))
  return names.filter((name) => /^\d{4}_[a-z_]+\.sql$/.test(name)).sort()
}

async function connected<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, application_name: 'enginex-migrate' })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
