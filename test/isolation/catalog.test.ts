import t from 'tap'
import { seedTenant, testDatabase } from '../support/database.ts'

// What the database itself says of every table; a new one that forgets a rule turns this red. Functions and roles:
// roles.test.ts.
const { admin, doors } = await testDatabase(t)
await admin.query("set search_path = ''") // so that the catalog prints every name with its schema

async function list<R = string>(text: string): Promise<R[]> {
  const { rows } = await admin.query({ text, rowMode: 'array' })
  return rows.map((row) => (row.length === 1 ? row[0] : row))
}

/** Not of a tenant: which organization is where, what the roles may do, who signed out. The application may touch none. */
const platformTables = ['directory', 'role_permissions', 'sign_outs']
/** What was written stays as it was written. */
const appendOnly = [
  'agent_versions',
  'approval_decisions',
  'audit_entries',
  'checkpoints',
  'model_calls',
  'run_memory',
  'session_events',
  'session_files',
]
const tables = await list(
  "select relname from pg_class where relnamespace = 'app'::regnamespace and relkind in ('r', 'p')",
)
const tenantTables = tables.filter((table) => !platformTables.includes(table)).sort()

t.test('there are only tables, their indexes, and nothing that would read with the rights of an owner', async (t) => {
  const relations = `select relname || ' ' || relkind::text from pg_class where relnamespace = 'app'::regnamespace
                      and relkind not in ('r', 'p', 'i', 'I') and not coalesce(reloptions @> '{security_invoker=true}', false)`
  t.same(await list(relations), [], 'no view without security_invoker, no materialized view, no sequence')
  t.same(await list("select rulename from pg_rules where schemaname = 'app'"), [], 'no rule')
  const triggers = `select tgrelid::regclass::text, tgfoid::regproc::text from pg_trigger where not tgisinternal order by 1`
  t.same(await list(triggers), [
    ['app.memberships', 'app.membership_changed'],
    ['app.session_events', 'app.tell_outside'],
    ['app.tenants', 'app.tenant_changed'],
    ['app.triggers', 'app.own_trigger'],
  ])
})

for (const table of tenantTables) {
  t.test(`${table} belongs to tenants`, async (t) => {
    const column = await list(`select attnotnull, atttypid::regtype::text, pg_get_expr(adbin, adrelid) from pg_attribute
      left join pg_attrdef on adrelid = attrelid and adnum = attnum
      where attrelid = 'app.${table}'::regclass and attname = 'tenant_id'`)
    const byDoorsOnly = table === 'tenants' || table === 'denials'
    t.same(column, [[true, 'uuid', byDoorsOnly ? null : 'app.tenant_id()']], 'the database fills in tenant_id')
    const unique = `select i.indexrelid::regclass::text from pg_index i
      join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
      where i.indrelid = 'app.${table}'::regclass and i.indisunique and a.attname <> 'tenant_id'`
    t.same(await list(unique), [], 'what is unique is so within a tenant')
    const secured = `select relrowsecurity, relforcerowsecurity, relowner::regrole::text from pg_class where oid = 'app.${table}'::regclass`
    t.same(await list(secured), [[true, true, 'enginex_owner']], 'row level security binds everyone, its owner too')
    const policies = `select policyname, cmd, permissive, roles::text, qual, with_check from pg_policies
                       where schemaname = 'app' and tablename = '${table}' and policyname not like 'doors%' and policyname <> 'guard'`
    const own = '(tenant_id = ( SELECT app.tenant_id() AS tenant_id))'
    t.same(
      await list(policies),
      [['tenant', 'ALL', 'PERMISSIVE', '{enginex_app}', own, own]],
      'one policy for the application',
    )
  })
}

t.test('every foreign key between tenant tables carries the tenant', async (t) => {
  const keys = await list<[string, string, string[], string[]]>(`
    select conrelid::regclass::text, confrelid::regclass::text,
           array(select attname::text from unnest(conkey) with ordinality k join pg_attribute on attrelid = conrelid and attnum = k order by ordinality),
           array(select attname::text from unnest(confkey) with ordinality k join pg_attribute on attrelid = confrelid and attnum = k order by ordinality)
      from pg_constraint where contype = 'f' and connamespace = 'app'::regnamespace`)
  t.ok(keys.length > tenantTables.length)
  for (const [from, to, columns, referenced] of keys) {
    t.equal(columns.indexOf('tenant_id'), 0, `${from} (${columns})`)
    t.equal(referenced.indexOf('tenant_id'), 0, `… refers to ${to} (${referenced})`)
  }
  const referring = new Set(keys.map(([from]) => from.replace('app.', '')))
  t.same(
    tenantTables.filter((table) => !referring.has(table)),
    [],
    'no row without a tenant that exists',
  )
})

t.test('a row cannot have a parent in another tenant, even where row level security does not bind', async (t) => {
  const [acme, beta] = [await seedTenant(doors, 'acme'), await seedTenant(doors, 'beta')]
  const [agent] = await list(
    `insert into app.agents (tenant_id, name, created_by) values ('${acme.tenantId}', 'a', 'x') returning id`,
  )
  const child = (
    tenantId: string,
  ) => `insert into app.agent_versions (tenant_id, agent_id, version, digest, bytes, manifest, created_by)
    values ('${tenantId}', '${agent}', '1.0.0', '', 0, '{}', 'x')`
  await t.rejects(admin.query(child(beta.tenantId)), { code: '23503' })
  t.ok(await admin.query(child(acme.tenantId)))
})

t.test('policies of the guard and the doors stand where they are needed, and nowhere else', async (t) => {
  const policies =
    await list(`select tablename || ' ' || policyname || ' ' || cmd || ' ' || roles::text from pg_policies
    where schemaname = 'app' and policyname <> 'tenant' order by 1`)
  t.same(policies, [
    'approvals doors SELECT {enginex_doors}',
    'audit_entries doors_insert INSERT {enginex_doors}',
    'denials doors ALL {enginex_doors}',
    'memberships doors ALL {enginex_doors}',
    'memberships guard SELECT {enginex_guard}',
    'notification_deliveries doors ALL {enginex_doors}',
    'runs doors ALL {enginex_doors}',
    'runs guard ALL {enginex_guard}',
    'tenants doors ALL {enginex_doors}',
    'tenants guard SELECT {enginex_guard}',
    'triggers doors ALL {enginex_doors}',
    'triggers guard ALL {enginex_guard}',
    'users doors ALL {enginex_doors}',
  ])
})

/** `table: privileges` of a role, columns included. */
async function privilegesOf(role: string): Promise<string[]> {
  return await list(`
    select relname || ': ' || string_agg(distinct privilege_type, ', ' order by privilege_type) from (
      select relname, privilege_type from pg_class, aclexplode(relacl) where relnamespace = 'app'::regnamespace and grantee = '${role}'::regrole
      union all
      select relname, privilege_type || ' of ' || string_agg(attname, ', ' order by attname)
        from pg_class join pg_attribute on attrelid = pg_class.oid, aclexplode(attacl)
       where relnamespace = 'app'::regnamespace and grantee = '${role}'::regrole group by 1, privilege_type
    ) as granted group by relname order by 1`)
}

t.test('the application may read and write rows of tenants, and do nothing else', async (t) => {
  const granted = await privilegesOf('enginex_app')
  for (const role of ['enginex_api', 'enginex_worker'])
    t.same(await privilegesOf(role), [], `${role} has it from there`)
  t.same(granted.map((line) => line.split(':')[0]).sort(), tenantTables, 'every tenant table, no other')
  for (const line of granted) {
    const [table = '', privileges = ''] = line.split(': ')
    const allowed = appendOnly.includes(table) ? ['INSERT', 'SELECT'] : ['INSERT', 'SELECT', 'UPDATE', 'DELETE']
    const held = privileges.match(/\b[A-Z]+\b/g) ?? []
    t.same(
      held.filter((one) => !allowed.includes(one)),
      [],
      line,
    )
  }
  const readOnly = granted.filter((line) => line.endsWith(': SELECT')).map((line) => line.split(':')[0])
  t.same(readOnly, ['denials', 'memberships', 'tenants', 'users'], 'who belongs where is written through doors only')
})

t.test('the application writes named columns, and none that says whose a row is or who made it', async (t) => {
  const may = (privilege: string) => `has_column_privilege('enginex_app', attrelid, attnum, '${privilege}')`
  const whole = `select relname from pg_class where relnamespace = 'app'::regnamespace and relkind in ('r', 'p')
                    and has_table_privilege('enginex_app', oid, 'insert, update')`
  t.same(await list(whole), [])
  const written = `select attrelid::regclass || '.' || attname from pg_attribute join pg_class on pg_class.oid = attrelid
    where relnamespace = 'app'::regnamespace and relkind in ('r', 'p') and attnum > 0 and (${may('insert')} or ${may('update')})
      and attname in ('tenant_id', 'id', 'created_by', 'created_at', 'actor', 'occurred_at', 'requested_at', 'started_at')`
  t.same(await list(written), [])
})

t.test('the guard reads what it must ask, column by column', async (t) => {
  t.same(await privilegesOf('enginex_guard'), [
    'memberships: SELECT of kind, roles, status, tenant_id, tokens_not_before, user_id',
    'role_permissions: SELECT',
    'runs: SELECT of created_by, epoch, id, requested_by, status, tenant_id, UPDATE of epoch',
    'tenants: SELECT of status, tenant_id',
    'triggers: SELECT of enabled, id, owner, tenant_id, UPDATE of owner',
  ])
})

t.test('the doors reach the tables that they are about', async (t) => {
  t.same(await privilegesOf('enginex_doors'), [
    'approvals: SELECT of expires_at, id, status, tenant_id',
    'audit_entries: INSERT',
    'denials: INSERT, SELECT, UPDATE',
    'directory: INSERT, SELECT',
    'memberships: INSERT, SELECT, UPDATE',
    'notification_deliveries: SELECT of attempts, due_at, id, status, taken, tenant_id, UPDATE of attempts, due_at, taken',
    'role_permissions: SELECT',
    'runs: SELECT, UPDATE',
    'sign_outs: INSERT, SELECT, UPDATE',
    'tenants: INSERT, SELECT, UPDATE',
    'triggers: SELECT of due_at, enabled, id, kind, next_at, owner, previous_secret, previous_until, secret, secret_version, tenant_id, UPDATE of disabled_reason, due_at, enabled, next_at',
    'users: INSERT, SELECT, UPDATE',
  ])
})

t.test('nothing is granted to everyone', async (t) => {
  const open = await list(`
    select 'schema ' || nspname from pg_namespace, aclexplode(nspacl) where nspname in ('app', 'migrations') and grantee = 0
    union all select relname from pg_class, aclexplode(relacl) where relnamespace = 'app'::regnamespace and grantee = 0
    union all select attname from pg_attribute, aclexplode(attacl) where grantee = 0 and attrelid in (select oid from pg_class where relnamespace = 'app'::regnamespace)
    union all select proname from pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner))) where pronamespace = 'app'::regnamespace and grantee = 0
    union all select privilege_type from pg_database, aclexplode(datacl) where datname = current_database() and grantee = 0`)
  t.same(open, [])
  const creators = `select nspname || ' ' || rolname from pg_namespace, pg_roles where nspname in ('app', 'public', 'migrations')
    and rolname in ('enginex_app', 'enginex_api', 'enginex_worker', 'enginex_guard', 'enginex_doors', 'enginex_backup') and has_schema_privilege(rolname, nspname, 'create')`
  t.same(await list(creators), [], 'nobody but the owner creates anything')
  t.same(await list("select has_schema_privilege('enginex_app', 'migrations', 'usage')"), [false])
})
