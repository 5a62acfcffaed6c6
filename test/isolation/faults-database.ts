import { type Fault, fault } from './fault.ts'

const enter = 'test/db/enter.test.ts'
const statement = 'test/db/statement.test.ts'
const start = 'test/db/start.test.ts'
const catalog = 'test/isolation/catalog.test.ts'
const functions = 'test/isolation/roles.test.ts'
const lists = 'test/isolation/lists.test.ts'
const late = 'test/isolation/late.test.ts'
const foundation = 'sql/migrations/0001_foundation.sql'
const agents = 'sql/migrations/0002_agents.sql'
const sessions = 'sql/migrations/0003_sessions.sql'

/** What the database itself holds up. */
export const databaseFaults: readonly Fault[] = [
  fault('policy lets everything through', lists, /another organization does not/, [
    foundation,
    `to enginex_app using (tenant_id = (select app.tenant_id())) '`,
    `to enginex_app using (true) '`,
  ]),
  fault('policy does not bind what is written', catalog, /belongs to tenants/, [
    foundation,
    `'with check (tenant_id = (select app.tenant_id()))'`,
    `'with check (true)'`,
  ]),
  fault('FORCE off', catalog, /without row level security/, [
    foundation,
    `  execute format('alter table %s force row level security', target);\n`,
    '',
  ]),
  fault('row level security off', catalog, /without row level security/, [
    foundation,
    `  execute format('alter table %s enable row level security', target);\n`,
    '',
  ]),
  fault('a table that nobody protected', catalog, /session_files belongs to tenants/, [
    sessions,
    `select app.protect('app.session_files', 'select, insert');`,
    '',
  ]),
  fault('a forgotten scope shows nothing instead of failing', statement, /a forgotten scope is an error/, [
    foundation,
    `    raise exception 'no tenant is set for this transaction' using errcode = 'TN000';`,
    '    return null;',
  ]),
  fault('set_config for the whole session', statement, /no scope is left on the connection/, [
    foundation,
    `  v_ignored := set_config('app.tenant_id', p_tenant::text, true);\n  v_ignored := set_config('app.actor', v_kind`,
    `  v_ignored := set_config('app.tenant_id', p_tenant::text, false);\n  v_ignored := set_config('app.actor', v_kind`,
  ]),
  fault('membership ignored', late, /a member who was removed/, [
    foundation,
    `  if v_member is distinct from 'active' then raise exception 'not a member' using errcode = 'TN404'; end if;\n`,
    '',
  ]),
  fault('suspension ignored', late, /a member of a suspended one/, [
    foundation,
    `  if v_tenant is distinct from 'active' then raise exception 'tenant suspended' using errcode = 'TN423'; end if;\n`,
    '',
  ]),
  fault('tokens_not_before ignored', late, /a member who signed out everywhere/, [
    foundation,
    `  if v_fresh is not true then raise exception 'token stale' using errcode = 'TN401'; end if;\n`,
    '',
  ]),
  fault('a token of the very moment is fresh', enter, /at that moment, is too old/, [
    foundation,
    'p_issued > m.tokens_not_before',
    'p_issued >= m.tokens_not_before',
  ]),
  fault('permission skipped in SQL', late, /a member whose role was lowered/, [
    foundation,
    `  if v_granted is not true then raise exception 'permission missing' using errcode = 'TN403'; end if;\n`,
    '',
  ]),
  fault('epoch unchecked', enter, /a run is written to by its present holder only/, [
    sessions,
    `if v_epoch is distinct from p_epoch or v_status <> 'running' then`,
    `if v_status <> 'running' then`,
  ]),
  fault('a run is not locked while it is written', enter, /the taker waits/, [
    sessions,
    'where r.tenant_id = p_tenant and r.id = p_run for no key update of r;',
    'where r.tenant_id = p_tenant and r.id = p_run;',
  ]),
  fault(
    'foreign key of a single column',
    catalog,
    /a row cannot have a parent in another tenant/,
    [
      agents,
      '  primary key (tenant_id, id),\n  unique (tenant_id, name)\n',
      '  primary key (tenant_id, id),\n  unique (id),\n  unique (tenant_id, name)\n',
    ],
    [
      agents,
      'foreign key (tenant_id, agent_id) references app.agents (tenant_id, id)',
      'foreign key (agent_id) references app.agents (id)',
    ],
  ),
  fault('names are unique across tenants', catalog, /what is unique is so within a tenant/, [
    agents,
    '  unique (tenant_id, name)\n',
    '  unique (tenant_id, name),\n  unique (name)\n',
  ]),
  fault('a door without search_path', functions, /functions with rights of their own/, [
    foundation,
    `returns table (tenant_id uuid, region text, tenant_status text, membership_status text, roles text[])\nlanguage sql stable security definer set search_path = '' as`,
    `returns table (tenant_id uuid, region text, tenant_status text, membership_status text, roles text[])\nlanguage sql stable security definer as`,
  ]),
  fault('a door that nobody listed', functions, /functions with rights of their own/, [
    foundation,
    '-- Open streams listen for these and close.',
    `create function app.peek() returns bigint language sql security definer set search_path = '' as $$ select count(*) from app.memberships $$;`,
  ]),
  fault('functions are open to everyone', catalog, /nothing is granted to everyone/, [
    foundation,
    'alter default privileges revoke execute on functions from public;',
    '',
  ]),
  fault('the audit log can be rewritten', catalog, /the application may read and write rows of tenants/, [
    foundation,
    `select app.protect('app.audit_entries', 'select, insert');`,
    `select app.protect('app.audit_entries', 'select, insert, update');`,
  ]),
  fault('the application bypasses row level security', catalog, /not bound by row level security/, [
    'sql/roles.sql',
    `('enginex_api', 'login nobypassrls noinherit')`,
    `('enginex_api', 'login bypassrls noinherit')`,
  ]),
  fault('the API may open the doors of the workers', functions, /each the entries and doors that it is there for/, [
    'sql/migrations/0019_worker_role.sql',
    `    execute format('revoke execute on function app.%I from enginex_app', one.function);\n`,
    '',
  ]),
  fault('a worker can become what it shares with the API', functions, /or can become one that is not/, [
    'sql/roles.sql',
    'grant enginex_app to enginex_api, enginex_worker with inherit true, set false;',
    'grant enginex_app to enginex_api, enginex_worker with inherit true, set true;',
  ]),
  fault('nobody asks whether the role is bound', start, /as a role that is not bound it does not/, [
    'src/db/database.ts',
    '    await this.#assertBound()\n',
    '',
  ]),
]
