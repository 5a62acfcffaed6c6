import { randomUUID } from 'node:crypto'
import t from 'tap'
import type { Scope } from '../../src/db/scope.ts'
import { addMember, seedTenant, type TestTenant, testDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'

// app.enter_trigger: who fires, in which tenant, and when not.
const { admin, database, doors, connect } = await testDatabase(t)
const [acme, beta] = [await seedTenant(doors, 'acme'), await seedTenant(doors, 'beta')]

async function newTrigger({ tenantId, members }: TestTenant): Promise<string> {
  const { rows } = await admin.query(
    `with a as (insert into agents (tenant_id, name, created_by) values ($1, $2, 'test') returning id)
     insert into triggers (tenant_id, name, kind, agent_id, max_concurrent, owner, created_by)
     select $1, $2, 'api', id, 1, $3, 'test' from a returning id`,
    [tenantId, randomUUID(), members.builder],
  )
  return rows[0].id
}

const scopeOf = ({ tenantId }: TestTenant, triggerId: string): Scope => ({ kind: 'trigger', tenantId, triggerId })
const whoAmI = (scope: Scope) =>
  database.write(scope, { text: 'select app.tenant_id() as tenant, app.actor() as actor' }).then(({ rows }) => rows[0])

t.test('a trigger acts in its own name, in its own tenant', async (t) => {
  const id = await newTrigger(acme)
  t.same(await whoAmI(scopeOf(acme, id)), { tenant: acme.tenantId, actor: `trigger:${id}` })
  const { rows } = await database.read(scopeOf(acme, id), { text: 'select count(*)::int as n from memberships' })
  t.same(rows, [{ n: Object.keys(acme.members).length }], 'sees the rows of that tenant')
})

t.test('a trigger of another tenant, or of nobody, is not there', async (t) => {
  const id = await newTrigger(acme)
  await t.rejects(whoAmI(scopeOf(beta, id)), { code: 'not_found' }, 'of another tenant')
  await t.rejects(whoAmI(scopeOf(acme, randomUUID())), { code: 'not_found' }, 'of nobody')
  await admin.query(`update triggers set enabled = false, disabled_reason = 'by_request' where id = $1`, [id])
  await t.rejects(whoAmI(scopeOf(acme, id)), { code: 'not_found' }, 'a disabled one')
})

t.test('it fires as long as its tenant is active and its owner may start sessions', async (t) => {
  const id = await newTrigger(acme)
  await doors.setTenantStatus(acme.organizationId, 'suspended', 'platform:test')
  await t.rejects(whoAmI(scopeOf(acme, id)), { code: 'organization_suspended' })
  await doors.setTenantStatus(acme.organizationId, 'active', 'platform:test')
  t.ok(await whoAmI(scopeOf(acme, id)))
  await admin.query('alter table memberships disable trigger changed')
  for (const roles of [[], ['auditor']] as const) {
    await addMember(doors, acme.tenantId, acme.members.builder, roles)
    await t.rejects(whoAmI(scopeOf(acme, id)), { code: 'owner_left' }, `with the roles [${roles}]`)
  }
  await addMember(doors, acme.tenantId, acme.members.builder, ['operator'])
  t.ok(await whoAmI(scopeOf(acme, id)), 'an operator may')
  await addMember(doors, acme.tenantId, acme.members.builder, ['builder'])
  await admin.query('alter table memberships enable trigger changed')
})

t.test('what fires at the same moment waits, and sees what was done before it', async (t) => {
  const id = await newTrigger(acme)
  const other = await connect()
  const { promise, resolve } = Promise.withResolvers<void>()
  const order: string[] = []
  const first = database.transaction(scopeOf(acme, id), async (send) => {
    await send({ text: 'update triggers set jitter_seconds = 7 where id = $1', values: [id] })
    resolve()
    const text = "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    await until('the second one waits', async () => (await admin.query(text)).rowCount)
    order.push('first')
  })
  await promise
  const second = other.transaction(scopeOf(acme, id), async (send) => {
    const { rows } = await send({ text: 'select jitter_seconds from triggers where id = $1', values: [id] })
    order.push(`second ${rows[0]?.jitter_seconds}`)
  })
  await Promise.all([first, second])
  t.same(order, ['first', 'second 7'])
})
