import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import type { Scope } from '../../src/db/scope.ts'
import type { Statement } from '../../src/db/statement.ts'
import { permissions, rolePermissions, roles } from '../../src/tenancy/permissions.ts'
import { assertClean, recordConnections } from '../support/connections.ts'
import { addMember, memberScope, seedTenant, testDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'

// Who may act is decided in front of every statement: what is taken from a member acts on the very next one.
const opened = recordConnections(t)
const { admin, doors, database, worker } = await testDatabase(t, { shared: 1, exclusive: 1 })
const via = ({ kind }: Scope) => (kind === 'member' ? database : worker)
const [acme, beta] = [await seedTenant(doors, 'acme'), await seedTenant(doors, 'beta')]
await admin.query(`create sequence app.probe; grant usage on sequence app.probe to enginex_app;
                   insert into agents (tenant_id, name, created_by) select tenant_id, 'one', 'test' from tenants`)

const read: Statement = { name: 'probe', text: 'select count(*)::int as n from app.agents' }
/** Shows whether it ran: a sequence is not rolled back. */
const write: Statement = { name: 'mark', text: "select nextval('app.probe')" }
const allowed = memberScope(acme, 'builder', 'agents:read')
const marks = async () => Number((await admin.query('select last_value from probe')).rows[0].last_value)

t.test('a member with the permission is let in', async (t) => {
  t.same((await database.read(allowed, read)).rows, [{ n: 1 }])
  t.equal((await database.write(allowed, write)).rowCount, 1)
})

/** Refused on either kind of connection, without running the statement or sending a row, and leaving nothing behind. */
async function assertRefused(t: Test, scope: Scope, code: string): Promise<void> {
  const before = await marks()
  let rows = 0
  const count = () => {
    rows += 1
  }
  for (const client of opened) client.connection.on('dataRow', count)
  await t.rejects(via(scope).read(scope, read), { code }, `a read is refused as ${code}`)
  await t.rejects(via(scope).write(scope, write), { code }, `a write is refused as ${code}`)
  for (const client of opened) client.connection.off('dataRow', count)
  t.equal(rows, 0, 'no row was sent')
  t.equal(await marks(), before, 'the statement did not run')
  for (const client of opened.filter(isOurs)) await assertClean(t, client)
}

function isOurs(client: object): boolean {
  return /^enginex_(api|worker)$/.test((client as { user: string }).user)
}

const refusals: [string, Scope, string][] = [
  ['a stranger', { ...allowed, userId: randomUUID() }, 'membership_required'],
  ["another tenant's member", { ...allowed, userId: beta.members.builder }, 'membership_required'],
  ['a tenant that does not exist', { ...allowed, tenantId: randomUUID() }, 'membership_required'],
  ['a permission that no role has', { ...allowed, permission: 'agents:delete' }, 'forbidden'],
  ['a permission of another role', { ...allowed, permission: 'audit:read' }, 'forbidden'],
  ['no tenant', { ...allowed, tenantId: null as never }, 'membership_required'],
  ['no person', { ...allowed, userId: null as never }, 'membership_required'],
  ['no time of issue', { ...allowed, issuedAt: null as never }, 'token_stale'],
  ['no permission', { ...allowed, permission: null as never }, 'forbidden'],
  ['a job in no tenant', { kind: 'system', tenantId: randomUUID(), job: 'test' }, 'membership_required'],
  ['a job without a name', { kind: 'system', tenantId: acme.tenantId, job: null as never }, 'membership_required'],
  ['a run that does not exist', { kind: 'run', tenantId: acme.tenantId, runId: randomUUID(), epoch: 1 }, 'not_found'],
]
for (const [who, scope, code] of refusals) t.test(`${who} is refused`, (t) => assertRefused(t, scope, code))

t.test('each role has exactly the permissions that permissions.ts gives it', async (t) => {
  for (const { permission, roles: holders } of rolePermissions()) {
    for (const role of roles) {
      const answer = database.read(memberScope(acme, role, permission), read).then(
        () => 'allowed',
        (error) => error.code,
      )
      t.equal(await answer, holders.includes(role) ? 'allowed' : 'forbidden', `${role} ${permission}`)
    }
  }
  const stored = await admin.query('select permission from role_permissions order by permission')
  t.same(
    stored.rows.map((row) => row.permission),
    [...permissions].sort(),
  )
})

t.test('a membership ended on another connection is refused by the very next statement, 200 times', async (t) => {
  let [served, refused] = [0, 0]
  for (let round = 0; round < 200; round += 1) {
    served += (await database.read(allowed, read)).rowCount
    await setMember("status = 'removed'")
    await database.read(allowed, read).catch((error) => {
      refused += error.code === 'membership_required' ? 1 : 0
    })
    await setMember("status = 'active'")
  }
  t.same([served, refused], [200, 200])
  await setMember("status = 'removed'")
  await assertRefused(t, allowed, 'membership_required')
  await setMember("status = 'active'")
})

async function setMember(change: string): Promise<void> {
  await admin.query(`update memberships set ${change} where tenant_id = $1 and user_id = $2`, [
    acme.tenantId,
    acme.members.builder,
  ])
}

t.test('a role lowered in the database acts at once, whatever the token says', async (t) => {
  const writes = memberScope(acme, 'builder', 'agents:write')
  t.ok(await database.write(writes, write))
  await addMember(doors, acme.tenantId, acme.members.builder, ['auditor'])
  await assertRefused(t, writes, 'forbidden')
  t.ok(await database.read(allowed, read), 'what the new role may do goes on')
  await addMember(doors, acme.tenantId, acme.members.builder, ['builder'])
  t.ok(await database.write(writes, write))
})

t.test('a token issued before a change of rights, or at that moment, is too old', async (t) => {
  const moment = new Date()
  await doors.signOutUser(acme.members.builder, moment)
  await assertRefused(t, { ...allowed, issuedAt: moment.toISOString() }, 'token_stale')
  await assertRefused(t, { ...allowed, issuedAt: new Date(moment.getTime() - 60_000).toISOString() }, 'token_stale')
  t.ok(await database.read({ ...allowed, issuedAt: new Date(moment.getTime() + 1000).toISOString() }, read))
  await doors.signOutUser(acme.members.builder, new Date(moment.getTime() - 3_600_000))
  await assertRefused(t, { ...allowed, issuedAt: moment.toISOString() }, 'token_stale')
  await setMember("tokens_not_before = '-infinity'")
})

t.test('a suspended organization is closed to its members, and tells strangers nothing', async (t) => {
  await doors.setTenantStatus(acme.organizationId, 'suspended', 'platform:test')
  await assertRefused(t, allowed, 'organization_suspended')
  await assertRefused(t, { ...allowed, userId: beta.members.builder }, 'membership_required')
  t.ok(await database.read(memberScope(beta, 'builder', 'agents:read'), read), 'others go on')
  await doors.setTenantStatus(acme.organizationId, 'active', 'platform:test')
  t.ok(await database.read(allowed, read))
})

t.test('a change that is not committed yet holds nobody up', async (t) => {
  await admin.query('begin')
  await setMember("status = 'removed'")
  await admin.query('select from tenants where tenant_id = $1 for update', [acme.tenantId])
  t.same((await database.read(allowed, read)).rows, [{ n: 1 }])
  await admin.query('rollback')
})

t.test('the application can change neither the guard nor the rights that it asks', async (t) => {
  const attempts = [
    'set role enginex_guard',
    'set role enginex_doors',
    'set role enginex_owner',
    'alter function app.enter(uuid, uuid, timestamptz, text) security invoker',
    'create or replace function app.tenant_id() returns uuid language sql as $$ select null::uuid $$',
    'create policy mine on app.memberships using (true)',
    'alter table app.agents disable row level security',
    'alter table app.agents no force row level security',
    "insert into app.role_permissions values ('agents:delete', '{builder}')",
    "update app.memberships set roles = '{tenant-admin}'",
    "update app.tenants set status = 'active'",
    'select * from app.directory',
    'delete from app.audit_entries',
    "update app.audit_entries set actor = 'user:somebody-else'",
    'update app.agent_versions set digest = digest',
    'create temporary table agents (id uuid)',
    'create table app.mine (id uuid)',
    'create schema mine',
  ]
  for (const text of attempts) await t.rejects(database.write(allowed, { text }), { code: '42501' }, text)
})

t.test('the tenant of a row can be neither chosen nor changed', async (t) => {
  const foreign = { text: 'insert into app.agents (tenant_id, name) values ($1, $2)', values: [beta.tenantId, 'x'] }
  await t.rejects(database.write(allowed, foreign), { code: '42501' })
  const moved = { text: 'update app.agents set tenant_id = $1', values: [beta.tenantId] }
  await t.rejects(database.write(allowed, moved), { code: '42501' })
})

t.test('who acted is written by the database, not by the statement', async (t) => {
  const scopes: [Scope, string][] = [
    [allowed, `user:${acme.members.builder}`],
    [{ kind: 'system', tenantId: acme.tenantId, job: 'reconcile' }, 'system:reconcile'],
  ]
  for (const [scope, actor] of scopes) {
    const text = "insert into app.audit_entries (action) values ('test') returning actor, tenant_id"
    t.same((await via(scope).write(scope, { text })).rows, [{ actor, tenant_id: acme.tenantId }])
  }
})

t.test('a run is written to by its present holder only, and its row stays locked meanwhile', async (t) => {
  const run = await seedRun()
  const scope = (epoch: number): Scope => ({ kind: 'run', tenantId: acme.tenantId, runId: run, epoch })
  t.ok(await worker.write(scope(3), write))
  t.ok(await worker.read(scope(3), read), 'its reads are let in as well')
  await assertRefused(t, scope(2), 'conflict')
  await assertRefused(t, scope(4), 'conflict')
  await assertRefused(t, { ...scope(3), tenantId: beta.tenantId } as Scope, 'not_found')
  await assertHeldDuringWrite(t, scope(3), run)
  for (const status of ['queued', 'waiting', 'paused', 'completed', 'cancelled']) {
    await admin.query('update runs set status = $1 where id = $2', [status, run])
    await assertRefused(t, scope(3), 'conflict')
  }
  await admin.query("update runs set status = 'running' where id = $1", [run])
  await doors.setTenantStatus(acme.organizationId, 'suspended', 'platform:test')
  await assertRefused(t, scope(3), 'organization_suspended')
  await doors.setTenantStatus(acme.organizationId, 'active', 'platform:test')
})

async function seedRun(): Promise<string> {
  const { rows } = await admin.query(
    `with a as (select tenant_id, id from agents where tenant_id = $1),
          v as (insert into agent_versions (tenant_id, agent_id, version, digest, bytes, manifest, created_by)
                select tenant_id, id, '1.0.0', 'x', 1, '{}', 'test' from a returning tenant_id, agent_id, id),
          s as (insert into sessions (tenant_id, agent_id, agent_version_id, title, input, created_by)
                select tenant_id, agent_id, id, 's', '{}', 'test' from v returning tenant_id, id)
     insert into runs (tenant_id, session_id, status, epoch, created_by)
     select tenant_id, id, 'running', 3, 'test' from s returning id`,
    [acme.tenantId],
  )
  return rows[0].id
}

/** While a holder's transaction is open, a taker waits: no write of the old holder can come after the new one's first. */
async function assertHeldDuringWrite(t: Test, scope: Scope, run: string): Promise<void> {
  const events: string[] = []
  let take: Promise<unknown> | undefined
  await worker.transaction(scope, async (send) => {
    await send(write)
    take = admin.query('update runs set epoch = epoch where id = $1', [run]).then(() => events.push('taken'))
    await until('the taker waits', async () => {
      const { rowCount } = await send({ text: 'select from pg_locks where not granted' })
      return rowCount > 0
    })
    events.push('written')
  })
  await take
  t.same(events, ['written', 'taken'])
}
