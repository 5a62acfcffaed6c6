import t from 'tap'
import { Doors } from '../../src/db/doors.ts'
import { testDatabase, workerDoors } from '../support/database.ts'

// What the database itself says of every function and role: who may call what, and who may become whom.
const { admin } = await testDatabase(t)
await admin.query("set search_path = ''") // so that the catalog prints every name with its schema

async function list<R = string>(text: string): Promise<R[]> {
  const { rows } = await admin.query({ text, rowMode: 'array' })
  return rows.map((row) => (row.length === 1 ? row[0] : row))
}

const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
const doorNames = Object.getOwnPropertyNames(Doors.prototype)
  .filter((name) => name !== 'constructor')
  .map(snake)
  .sort()
const entryNames = ['enter', 'enter_run', 'enter_starter', 'enter_system', 'enter_trigger']

t.test(
  'functions with rights of their own are the entries, the doors, two triggers and what those share',
  async (t) => {
    const definers = `select proname, proowner::regrole::text, proconfig::text from pg_proc
                     where pronamespace = 'app'::regnamespace and prosecdef order by proname`
    const fixed = '{"search_path=\\"\\""}'
    const expected = [
      ...entryNames.map((name) => [name, 'enginex_guard', fixed]),
      ...[...doorNames, 'disable_orphans', 'membership_changed', 'tenant_changed'].map((name) => [
        name,
        'enginex_doors',
        fixed,
      ]),
    ]
    t.same(
      await list(definers),
      expected.sort(([a = ''], [b = '']) => (a < b ? -1 : 1)),
    )
  },
)

/** What each of the two may do that the other may not, and what both may. */
const ownFunctions: Record<string, readonly string[]> = {
  enginex_api: [
    ...doorNames.filter((name) => !(workerDoors.map(snake) as string[]).includes(name)),
    'enter',
    'enter_trigger',
  ],
  enginex_worker: [...workerDoors.map(snake), 'disable_orphan', ...entryNames.filter((name) => name !== 'enter')],
  enginex_app: [],
}

t.test('API and worker may call a few helpers, and each the entries and doors that it is there for', async (t) => {
  const helpers = [
    'actor',
    'append_events',
    'may_answer',
    'notify_change',
    'person_behind',
    'record_transition',
    'seats_of',
    'take_model_call',
    'tenant_id',
    'write_events',
  ]
  for (const [role, own] of Object.entries(ownFunctions)) {
    const callable = `select proname from pg_proc where pronamespace = 'app'::regnamespace
                        and has_function_privilege('${role}', oid, 'execute') order by proname`
    t.same(await list(callable), [...helpers, ...own].sort(), role)
  }
  const invokers = `select proname from pg_proc where pronamespace = 'app'::regnamespace and not prosecdef order by proname`
  t.same(await list(invokers), [...helpers, 'least_silence', 'own_trigger', 'protect', 'tell_outside'].sort())
})

t.test('roles are bound', async (t) => {
  const roles = `select rolname, rolcanlogin, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication, rolinherit
                   from pg_roles where rolname like 'enginex%' order by rolname`
  const never = [false, false, false, false]
  const role = (name: string, login: boolean, bypass = false) => [name, login, false, bypass, ...never]
  t.same(await list(roles), [
    role('enginex_api', true),
    role('enginex_app', false),
    role('enginex_backup', false, true),
    role('enginex_doors', false),
    role('enginex_guard', false),
    role('enginex_owner', true),
    role('enginex_worker', true),
  ])
  const members = `select member::regrole::text, roleid::regrole::text, inherit_option, set_option, admin_option
                     from pg_auth_members where member::regrole::text like 'enginex%' order by 2, 1`
  t.same(await list(members), [
    ['enginex_api', 'enginex_app', true, false, false],
    ['enginex_worker', 'enginex_app', true, false, false],
    ['enginex_owner', 'enginex_doors', false, true, false],
    ['enginex_owner', 'enginex_guard', false, true, false],
  ])
})

t.test('what the owner makes next is closed until it is granted', async (t) => {
  await admin.query(`set role enginex_owner; create function app.later() returns int language sql return 1;
                     create table app.later (id int); reset role`)
  const closed = `select has_function_privilege('enginex_app', 'app.later()', 'execute'), has_table_privilege('enginex_app', 'app.later', 'select')`
  t.same(await list(closed), [[false, false]])
})
