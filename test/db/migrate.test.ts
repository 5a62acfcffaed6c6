import t from 'tap'
import { installRoles, migrate } from '../../src/db/migrate.ts'
import { rolePermissions } from '../../src/tenancy/permissions.ts'
import { testDatabase } from '../support/database.ts'

// The template was migrated once; what happens when that is done again, by several at a time, or with other files?
const { admin, ownerUrl, adminUrl } = await testDatabase(t)
const stored = async () => (await admin.query('select * from app.role_permissions order by permission')).rows
const applied = async () => (await admin.query('select name, sha256 from migrations.applied order by name')).rows

t.test('again, and five at once, nothing changes', async (t) => {
  const before = [await applied(), await stored()]
  const again = await Promise.all(Array.from({ length: 5 }, () => migrate(ownerUrl, rolePermissions())))
  t.same(again, [[], [], [], [], []])
  t.same([await applied(), await stored()], before)
})

t.test('each migration has a number of its own, and none is left out', async (t) => {
  const numbers = (await applied()).map(({ name }) => Number(name.slice(0, 4)))
  t.same(
    numbers,
    numbers.map((_, index) => index + 1),
  )
})

t.test('what roles may do follows permissions.ts at each run', async (t) => {
  const before = await stored()
  await admin.query(`update app.role_permissions set roles = '{auditor}' where permission = 'agents:write';
                     insert into app.role_permissions values ('agents:delete', '{builder}');
                     delete from app.role_permissions where permission = 'audit:read'`)
  await migrate(ownerUrl, rolePermissions())
  t.same(await stored(), before)
})

t.test('a migration that was changed after it had been applied is refused', async (t) => {
  const [first] = await applied()
  await admin.query("update migrations.applied set sha256 = 'other' where name = $1", [first.name])
  await t.rejects(migrate(ownerUrl, rolePermissions()), new RegExp(`${first.name} was changed after`))
  await admin.query('update migrations.applied set sha256 = $1 where name = $2', [first.sha256, first.name])
})

t.test('a migration that fails leaves nothing of itself', async (t) => {
  const [first] = await applied()
  await admin.query('delete from migrations.applied where name = $1', [first.name])
  await t.rejects(migrate(ownerUrl, rolePermissions()), new RegExp(`${first.name} failed: .*already exists`))
  t.notOk((await applied()).some((row) => row.name === first.name))
  await admin.query('insert into migrations.applied (name, sha256) values ($1, $2)', [first.name, first.sha256])
  t.same(await migrate(ownerUrl, rolePermissions()), [])
})

t.test('roles and database can be installed again', async (t) => {
  const database = new URL(adminUrl).pathname.slice(1)
  await t.resolves(installRoles(adminUrl, { database, passwords: { owner: 'owner', api: 'api', worker: 'worker' } }))
  const { rows } = await admin.query('select array_to_string(datacl, $1) acl from pg_database where datname = $2', [
    ' ',
    database,
  ])
  t.notMatch(rows[0].acl, /(^| )=/, 'the public may do nothing with it')
  t.match(rows[0].acl, /enginex_api=c\/.*enginex_worker=c\//, 'the application may connect')
  t.notMatch(rows[0].acl, /enginex_app/, 'as itself or not at all')
})
