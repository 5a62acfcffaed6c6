import pg from 'pg'

// What stands in sql/schema.sql: the database as its catalog describes it, for reading and for comparing.

const tables = `
  select c.oid::regclass::text as name,
         (select string_agg('  ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
                   || case when a.attnotnull then ' not null' else '' end
                   || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), ''), E',\\n' order by a.attnum)
            from pg_attribute a left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
           where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns,
         array(select 'constraint ' || conname || ' ' || pg_get_constraintdef(oid) from pg_constraint
                where conrelid = c.oid and contype <> 'n' order by contype <> 'p', conname) as constraints,
         array(select pg_get_indexdef(indexrelid) from pg_index i
                where indrelid = c.oid and not exists (select from pg_constraint where conindid = i.indexrelid)
                order by indexrelid::regclass::text) as indexes,
         c.relrowsecurity as secured, c.relforcerowsecurity as forced,
         array(select format('create policy %s on %s for %s to %s', policyname, c.oid::regclass, lower(cmd), array_to_string(roles, ', '))
                   || coalesce(' using ' || qual, '') || coalesce(' with check ' || with_check, '')
                 from pg_policies where schemaname = 'app' and tablename = c.relname order by policyname) as policies,
         array(select pg_get_triggerdef(oid) from pg_trigger where tgrelid = c.oid and not tgisinternal order by tgname) as triggers,
         array(select format('grant %s on %s to %s', string_agg(lower(privilege_type), ', ' order by privilege_type), c.oid::regclass, grantee::regrole)
                 from aclexplode(c.relacl) where grantee <> c.relowner group by grantee order by grantee::regrole::text) as grants,
         array(select format('grant %s (%s) on %s to %s', lower(privilege_type), string_agg(attname, ', ' order by attnum), c.oid::regclass, grantee::regrole)
                 from pg_attribute, aclexplode(attacl) where attrelid = c.oid group by privilege_type, grantee
                order by grantee::regrole::text, privilege_type) as column_grants
    from pg_class c where c.relnamespace = 'app'::regnamespace and c.relkind in ('r', 'p') order by c.relname`

const functions = `
  select pg_get_functiondef(oid) as definition, proowner::regrole::text as owner, oid::regprocedure::text as signature,
         array(select grantee::regrole::text from aclexplode(proacl) where grantee <> proowner order by 1) as callers
    from pg_proc where pronamespace = 'app'::regnamespace order by proname`

/** The schema \`app\` as SQL text. */
export async function printSchema(url: string): Promise<string> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    await client.query("set search_path = ''")
    const parts = [
      '-- Printed from the catalog of a migrated database by `npm run generate`. The migrations are the source.',
    ]
    for (const row of (await client.query(tables)).rows) parts.push(printTable(row))
    for (const row of (await client.query(functions)).rows) parts.push(printFunction(row))
    return `${parts.join('\n\n')}\n`
  } finally {
    await client.end()
  }
}

interface TableRow {
  readonly name: string
  readonly columns: string
  readonly constraints: readonly string[]
  readonly indexes: readonly string[]
  readonly secured: boolean
  readonly forced: boolean
  readonly policies: readonly string[]
  readonly triggers: readonly string[]
  readonly grants: readonly string[]
  readonly column_grants: readonly string[]
}

function printTable(row: TableRow): string {
  const inside = [row.columns, ...row.constraints.map((one) => `  ${one}`)].join(',\n')
  const after = [
    ...row.indexes,
    ...(row.secured ? [`alter table ${row.name} enable row level security`] : []),
    ...(row.forced ? [`alter table ${row.name} force row level security`] : []),
    ...row.policies,
    ...row.triggers,
    ...row.grants,
    ...row.column_grants,
  ]
  return [`create table ${row.name} (\n${inside}\n)`, ...after].map((one) => `${one};`).join('\n')
}

function printFunction(row: { definition: string; owner: string; signature: string; callers: string[] }): string {
  const after = [`alter function ${row.signature} owner to ${row.owner}`]
  if (row.callers.length > 0) after.push(`grant execute on function ${row.signature} to ${row.callers.join(', ')}`)
  return [row.definition.trimEnd(), ...after].map((one) => `${one};`).join('\n')
}
