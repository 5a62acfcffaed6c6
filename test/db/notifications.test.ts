import { randomUUID } from 'node:crypto'
import t from 'tap'
import { Notifications } from '../../src/db/notifications.ts'
import { addMember, memberScope, seedTenant, testDatabase } from '../support/database.ts'
import { until } from '../support/until.ts'

const { admin, appUrl, database, doors } = await testDatabase(t)
const [acme, beta] = [await seedTenant(doors, 'acme'), await seedTenant(doors, 'beta')]
const notifications = await new Notifications(appUrl).start()
t.teardown(() => notifications.stop())

/** Counts what is heard of a topic. */
function listen(tenantId: string, topic: string) {
  const heard = { times: 0, stop: () => {} }
  heard.stop = notifications.on(tenantId, topic, () => {
    heard.times += 1
  })
  return heard
}

const notify = (topic: string) => ({ text: 'select app.notify_change($1)', values: [topic] })
const inAcme = memberScope(acme, 'builder', 'agents:write')
const inBeta = memberScope(beta, 'builder', 'agents:write')

t.test('a change is heard by those who listen to that topic of that tenant', async (t) => {
  const [mine, other, foreign] = [listen(acme.tenantId, 'x'), listen(acme.tenantId, 'y'), listen(beta.tenantId, 'x')]
  const any: string[] = []
  const stop = notifications.onAny('x', (tenantId) => any.push(tenantId))
  await database.write(inAcme, notify('x'))
  await database.write(inBeta, notify('end'))
  const end = listen(beta.tenantId, 'end')
  await database.write(inBeta, notify('end'))
  await until('the last one', () => end.times)
  t.same([mine.times, other.times, foreign.times], [1, 0, 0])
  t.same(any, [acme.tenantId])
  for (const one of [mine, other, foreign, end]) one.stop()
  stop()
})

t.test('nothing is heard of what was rolled back, and one thing of what was said twice', async (t) => {
  const heard = listen(acme.tenantId, 'x')
  await t.rejects(
    database.transaction(inAcme, async (send) => {
      await send(notify('x'))
      throw new Error('no')
    }),
  )
  await database.transaction(inAcme, (send) => Promise.all([send(notify('x')), send(notify('x'))]))
  await until('the commit', () => heard.times)
  t.equal(heard.times, 1)
  heard.stop()
})

t.test('a tenant cannot speak in the name of another', async (t) => {
  await t.rejects(database.write({ ...inBeta, userId: acme.members.builder }, notify('x')), {
    code: 'membership_required',
  })
  await t.rejects(admin.query(`set role enginex_app; select app.notify_change('x')`), { code: 'TN000' })
  await admin.query('reset role')
})

t.test('the end of a membership, a changed role and a suspension are told', async (t) => {
  const userId = randomUUID()
  await addMember(doors, acme.tenantId, userId, ['builder'])
  const [member, tenant] = [listen(acme.tenantId, `member:${userId}`), listen(acme.tenantId, 'tenant')]
  await addMember(doors, acme.tenantId, userId, ['builder'])
  await addMember(doors, acme.tenantId, userId, ['auditor'])
  await until('the role', () => member.times === 1)
  await doors.signOutUser(userId, new Date())
  await until('the sign-out', () => member.times === 2)
  await addMember(doors, acme.tenantId, userId, [])
  await until('the end', () => member.times === 3)
  await doors.setTenantStatus(acme.organizationId, 'suspended', 'platform:test')
  await doors.setTenantStatus(acme.organizationId, 'suspended', 'platform:test')
  await doors.setTenantStatus(acme.organizationId, 'active', 'platform:test')
  await until('the suspension and its end', () => tenant.times === 2)
  t.same([member.times, tenant.times], [3, 2], 'and what changed nothing is not')
})

t.test('a lost connection is told, and comes back', async (t) => {
  let lost = 0
  notifications.onLost(() => {
    lost += 1
  })
  await admin.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'enginex-listen' and datname = current_database()",
  )
  await until('the loss', () => lost)
  await until('a new connection', () => notifications.connected)
  const heard = listen(acme.tenantId, 'x')
  await database.write(inAcme, notify('x'))
  await until('a change after it', () => heard.times)
  t.equal(lost, 1, 'once')
})
