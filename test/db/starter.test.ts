import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import type { Scope } from '../../src/db/scope.ts'
import { addMember, seedTenant, testDatabase } from '../support/database.ts'

// A run that acts for whoever started it: app.enter_starter stands in front of every statement.
const { admin, doors, database } = await testDatabase(t)
const [acme, beta] = [await seedTenant(doors, 'acme'), await seedTenant(doors, 'beta')]
const { operator, auditor, builder } = acme.members
const mark = "insert into app.audit_entries (action) values ('test') returning actor"

const scope = (runId: string, permission: string, epoch = 3): Scope => {
  return { kind: 'starter', tenantId: acme.tenantId, runId, epoch, permission }
}

async function seedRun(by: string): Promise<string> {
  const { rows } = await admin.query(
    `with a as (insert into agents (tenant_id, name, created_by) values ($1, uuidv7()::text, 'test') returning tenant_id, id),
          v as (insert into agent_versions (tenant_id, agent_id, version, digest, bytes, manifest, created_by)
                select tenant_id, id, '1.0.0', 'x', 1, '{}', 'test' from a returning tenant_id, agent_id, id),
          s as (insert into sessions (tenant_id, agent_id, agent_version_id, title, input, created_by)
                select tenant_id, agent_id, id, 's', '{}', 'test' from v returning tenant_id, id)
     insert into runs (tenant_id, session_id, status, epoch, created_by)
     select tenant_id, id, 'running', 3, $2 from s returning id`,
    [acme.tenantId, by],
  )
  return rows[0].id
}

async function assertRefused(t: Test, scope: Scope, code: string, what: string = scope.kind): Promise<void> {
  const before = (await admin.query('select count(*) from audit_entries')).rows
  await t.rejects(database.read(scope, { text: 'select from app.agents' }), { code }, `${what}: a read`)
  await t.rejects(database.write(scope, { text: mark }), { code }, `${what}: a write`)
  const deed = database.transaction(scope, (send) => send({ text: mark }))
  await t.rejects(deed, { code }, `${what}: a transaction`)
  t.same((await admin.query('select count(*) from audit_entries')).rows, before)
}

t.test('it reads and starts, as itself, and nothing else', async (t) => {
  const run = await seedRun(`user:${operator}`)
  t.same((await database.write(scope(run, 'runs:write'), { text: mark })).rows, [{ actor: `run:${run}` }])
  t.ok(await database.read(scope(run, 'agents:read'), { text: 'select from app.agents' }))
  const admins = await seedRun(`user:${acme.members['tenant-admin']}`)
  for (const permission of ['approvals:write', 'approvals:read', 'agents:write', 'runs:advance', null as never]) {
    await assertRefused(t, scope(admins, permission), 'forbidden', permission)
  }
  await assertRefused(t, scope(run, 'runs:write', 2), 'conflict')
  await assertRefused(t, { ...scope(run, 'runs:write'), tenantId: beta.tenantId } as Scope, 'not_found')
})

t.test('whoever lost the right meanwhile lends it to no run, nor to a run that it started', async (t) => {
  const first = await seedRun(`user:${operator}`)
  const third = await seedRun(`run:${await seedRun(`run:${first}`)}`)
  t.ok(await database.write(scope(third, 'runs:write'), { text: mark }))
  await addMember(doors, acme.tenantId, operator, ['auditor'])
  for (const run of [first, third]) await assertRefused(t, scope(run, 'runs:write'), 'forbidden', 'a lower role')
  t.ok(await database.read(scope(third, 'runs:read'), { text: 'select' }), 'what the new role may do goes on')
  await addMember(doors, acme.tenantId, operator, [])
  await assertRefused(t, scope(third, 'runs:read'), 'forbidden', 'no membership')
  await addMember(doors, acme.tenantId, operator, ['operator'])
  await doors.setTenantStatus(acme.organizationId, 'suspended', 'platform:test')
  await assertRefused(t, scope(first, 'runs:read'), 'organization_suspended')
  await doors.setTenantStatus(acme.organizationId, 'active', 'platform:test')
})

t.test('what a trigger started acts for its owner', async (t) => {
  const { rows } = await admin.query(
    `insert into triggers (tenant_id, name, kind, agent_id, max_concurrent, owner, created_by)
     select tenant_id, 'api', 'api', id, 1, $2, 'test' from agents where tenant_id = $1 limit 1 returning id`,
    [acme.tenantId, builder],
  )
  const run = await seedRun(`run:${await seedRun(`trigger:${rows[0].id}`)}`)
  t.ok(await database.write(scope(run, 'runs:write'), { text: mark }))
  await addMember(doors, acme.tenantId, builder, ['auditor'])
  await assertRefused(t, scope(run, 'runs:write'), 'forbidden')
  await addMember(doors, acme.tenantId, builder, ['builder'])
  await admin.query('delete from triggers where id = $1', [rows[0].id])
  await assertRefused(t, scope(run, 'runs:read'), 'forbidden', 'a trigger that is gone')
})

t.test('whoever is no member lends nothing', async (t) => {
  const others = ['system:test', `unknown:${builder}`, `user:${beta.members.builder}`, `run:${randomUUID()}`, 'user:']
  for (const by of others) await assertRefused(t, scope(await seedRun(by), 'runs:read'), 'forbidden', by)
  await assertRefused(t, scope(await seedRun(`user:${auditor}`), 'runs:write'), 'forbidden')
})
