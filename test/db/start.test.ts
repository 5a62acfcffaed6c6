import pg from 'pg'
import t from 'tap'
import { Database } from '../../src/db/database.ts'
import { testDatabase } from '../support/database.ts'

// The process refuses to start where row level security would not bind it.
const { admin, adminUrl, ownerUrl, appUrl, connect } = await testDatabase(t)

async function start(url: string): Promise<string> {
  const database = new Database({ url, applicationName: 'start', shared: 1, exclusive: 1 })
  try {
    await database.start()
    return 'started'
  } catch (error) {
    return (error as Error).message
  } finally {
    await database.stop()
  }
}

t.test('as the application it starts', async (t) => {
  t.equal(await start(appUrl), 'started')
})

t.test('as a role that is not bound it does not', async (t) => {
  t.match(await start(adminUrl), /not bound by row level security/, 'the superuser')
  t.match(await start(ownerUrl), /not bound by row level security/, 'the owner')
})

t.test('as a role that bypasses row level security, or can become another one, it does not', async (t) => {
  const name = `loose_${process.pid}`
  const url = new URL(appUrl)
  url.username = name
  url.password = 'loose'
  await admin.query(`create role ${name} login password 'loose' bypassrls;
                     grant connect on database ${new URL(appUrl).pathname.slice(1)} to ${name}`)
  t.teardown(async () => {
    await using cleaner = await administrator()
    await cleaner.client.query(`drop owned by ${name}; drop role ${name}`)
  })
  t.match(await start(url.href), /not bound/, 'bypassrls')
  for (const role of ['enginex_owner', 'enginex_guard', 'enginex_doors', 'enginex_backup']) {
    await admin.query(`alter role ${name} nobypassrls; grant ${role} to ${name} with inherit false, set true`)
    t.match(await start(url.href), /not bound/, `may become ${role}`)
    await admin.query(`revoke ${role} from ${name}`)
  }
})

async function administrator() {
  const client = new pg.Client(adminUrl)
  await client.connect()
  return { client, [Symbol.asyncDispose]: () => client.end() }
}

const loosened: Record<string, [string, string]> = {
  'a table without row level security': ['create table app.loose (id int)', 'loose'],
  'a view, which runs with the rights of its owner': ['create view app.loose as select 1 as id', 'loose'],
  'a materialized view': ['create materialized view app.loose as select 1 as id', 'loose'],
  'a protected table that was opened': ['alter table app.agents disable row level security', 'agents'],
  'a protected table that does not bind its owner': ['alter table app.agents no force row level security', 'agents'],
}
for (const [what, [text, relation]] of Object.entries(loosened)) {
  t.test(`over ${what} it does not start`, async (t) => {
    await admin.query(`begin; ${text}; grant select on app.${relation} to enginex_app; commit`)
    t.match(await start(appUrl), new RegExp(`without row level security: ${relation}`))
    await admin.query(
      relation === 'loose'
        ? `drop ${/create (.*) app/.exec(text)?.[1]} app.loose`
        : 'alter table app.agents enable row level security; alter table app.agents force row level security',
    )
    t.equal(await start(appUrl), 'started')
  })
}

t.test('answers() tells whether the database can be reached, and never throws', async (t) => {
  const database = await connect()
  t.equal(await database.answers(), true)
  const unreachable = new Database({ url: 'postgres://enginex_app@127.0.0.1:1/x', applicationName: 'x' })
  t.equal(await unreachable.answers(), false)
  await unreachable.stop()
})
