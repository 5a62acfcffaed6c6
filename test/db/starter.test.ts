import { randomUUID } from 'node:crypto'
import t, { type Test } from 'tap'
import type { Scope } from '../../src/db/scope.ts'
import { addMember, seedTenant, testDatabase } from '../support/database.ts'

// A run that acts for whoever started it: app.enter_starter stands in front of every statement.
const { admin, doors, worker: database } = await testDatabase(t)
const [acme, beta] = [await seedTenant(doors, 'acme'), await seedTenant(doors, 'beta')]
const { operator, auditor, builder } = acme.members
const mark = "insert into app.audit_entries (action) values ('test') returning actor"

const scope = (runId: string, permission: string, epoch = 3): Scope => {
  return { kind: 'starter', tenantId: acme.tenantId, runId, epoch, permission }
}

/** `person` is behind the run; `by` says what started it. */
async function seedRun(person: string | null, by = 'run:other'): Promise<string> {
  const { rows } = await admin.query(
    `with a as (insert into agents (tenant_id, name, created_by) values ($1, uuidv7()::text, 'test') returning tenant_id, id),
          v as (insert into agent_versions (tenant_id, agent_id, version, digest, bytes, manifest, created_by)
                select tenant_id, id, '1.0.0', 'x', 1, '{}', 'test' from a returning tenant_id, agent_id, id),
          s as (insert into sessions (tenant_id, agent_id, agent_version_id, title, input, created_by)
                select tenant_id, agent_id, id, 's', '{}', 'test' from v returning tenant_id, id)
     insert into runs (tenant_id, session_id, status, epoch, requested_by, created_by)
     select tenant_id, id, 'running', 3, $2, $3 from s returning id`,
    [acme.tenantId, person, by],
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
  const run = await seedRun(operator)
  t.same((await database.write(scope(run, 'runs:write'), { text: mark })).rows, [{ actor: `run:${run}` }])
  t.ok(await database.read(scope(run, 'agents:read'), { text: 'select from app.agents' }))
  const admins = await seedRun(acme.members['tenant-admin'])
  for (const permission of ['approvals:write', 'approvals:read', 'agents:write', 'runs:advance', null as never]) {
    await assertRefused(t, scope(admins, permission), 'forbidden', permission)
  }
  await assertRefused(t, scope(run, 'runs:write', 2), 'conflict')
  await assertRefused(t, { ...scope(run, 'runs:write'), tenantId: beta.tenantId } as Scope, 'not_found')
})

t.test('whoever lost the right meanwhile lends it to no run', async (t) => {
  const run = await seedRun(operator)
  t.ok(await database.write(scope(run, 'runs:write'), { text: mark }))
  await addMember(doors, acme.tenantId, operator, ['auditor'])
  await assertRefused(t, scope(run, 'runs:write'), 'forbidden', 'a lower role')
  t.ok(await database.read(scope(run, 'runs:read'), { text: 'select' }), 'what the new role may do goes on')
  await addMember(doors, acme.tenantId, operator, [])
  await assertRefused(t, scope(run, 'runs:read'), 'forbidden', 'no membership')
  await addMember(doors, acme.tenantId, operator, ['operator'])
  await doors.setTenantStatus(acme.organizationId, 'suspended', 'platform:test')
  await assertRefused(t, scope(run, 'runs:read'), 'organization_suspended')
  await doors.setTenantStatus(acme.organizationId, 'active', 'platform:test')
})

t.test('a service account is its own starter; whoever is no member lends nothing', async (t) => {
  t.ok(await database.write(scope(await seedRun(null, `service-account:${builder}`), 'runs:write'), { text: mark }))
  for (const by of ['system:test', `trigger:${builder}`, `user:${builder}`, 'service-account:']) {
    await assertRefused(t, scope(await seedRun(null, by), 'runs:read'), 'forbidden', by)
  }
  for (const person of [beta.members.builder, randomUUID()]) {
    await assertRefused(t, scope(await seedRun(person), 'runs:read'), 'forbidden')
  }
  await assertRefused(t, scope(await seedRun(auditor), 'runs:write'), 'forbidden')
})
