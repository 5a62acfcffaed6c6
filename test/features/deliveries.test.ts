import t from 'tap'
import { recordOutcome } from '../../src/features/notifications/outbox.ts'
import {
  deleteEndpoint,
  getEndpoint,
  listDeliveries,
  patchEndpoint,
  testEndpoint,
} from '../../src/features/notifications/service.ts'
import { TenantContext } from '../../src/tenancy/context.ts'
import { seedTenant } from '../support/database.ts'
import { outboxOf } from '../support/outbox.ts'
import { until } from '../support/until.ts'
import { workplace } from '../support/work.ts'

// Whoever does not answer is tried again, given up, disabled; and nobody else notices.
const place = await workplace(t)
const { admin, doors } = place
const acme = await seedTenant(doors, 'acme')
const beta = await seedTenant(doors, 'beta')
await place.work(t)
const outbox = await outboxOf(t, place, [acme, beta])
const { answering, at, boss, create, deliveriesOf, outside, settled, tell, tried, tryNow, work } = outbox

t.test('what was not taken is tried again with the same id, later each time, and then given up', async (t) => {
  const endpoint = await create('/busy', ['run.failed'], acme)
  const answers = [500, 503, 302, 204]
  answering.status = () => answers.shift() ?? 500
  await tell(acme)
  work(t)
  const first = await tried(endpoint, 1)
  t.match(first, { status: 'pending', response_status: 500, error: 'answered 500' })
  const wait = Number(first['due_at']) - Date.now()
  t.ok(wait > 1000 && wait < 7000, 'in about five seconds')
  for (const attempts of [2, 3, 4]) {
    await tryNow(endpoint)
    await tried(endpoint, attempts)
  }
  t.match(await settled(endpoint, 1), [{ status: 'delivered', attempts: 4, error: null }])
  t.equal(new Set(at('/busy').map(({ headers }) => headers['webhook-id'])).size, 1)
  t.equal(at('/elsewhere').length, 0, 'nobody is redirected')
  t.equal((await getEndpoint(boss(acme), endpoint.id)).failingSince, null, 'a success forgives')

  await tell(acme)
  await tried(endpoint, 1)
  const last = `update app.notification_deliveries set attempts = 7, due_at = now() where status = 'pending'`
  await admin.query(last)
  t.match((await settled(endpoint, 2))[1], { status: 'failed', attempts: 8, error: 'answered 500' })
  const { items } = await listDeliveries(boss(acme), { endpointId: endpoint.id, status: 'failed' })
  t.match(items, [{ status: 'failed', attempts: 8, nextAttemptAt: null, responseStatus: 500 }])
  t.ok((await getEndpoint(boss(acme), endpoint.id)).failingSince)
  await deleteEndpoint(boss(acme), endpoint.id)
})

t.test('an endpoint that fails for days, or says that it is gone, is disabled where its owners see it', async (t) => {
  const [old, gone] = [await create('/old', ['run.failed'], acme), await create('/gone', ['run.failed'], acme)]
  answering.status = (path) => (path === '/old' ? 500 : 410)
  work(t)
  await tell(acme)
  await tried(old, 1)
  t.match(await getEndpoint(boss(acme), old.id), { enabled: true })
  const days = `update app.notification_endpoints set failing_since = now() - interval '3 days' where id = $1`
  await admin.query(days, [old.id])
  await tryNow(old)
  for (const { id } of [old, gone]) {
    await until('it is disabled', async () => !(await getEndpoint(boss(acme), id)).enabled)
  }
  t.match(await getEndpoint(boss(acme), old.id), { disabledReason: /3 days.*answered 500/ })
  t.match(await getEndpoint(boss(acme), gone.id), { disabledReason: /410/ })
  const audit = `select actor from app.audit_entries where action = 'notifications.disable'`
  t.same((await admin.query(audit)).rows, Array(2).fill({ actor: 'system:notifications' }))
  await tryNow(old)
  t.match((await settled(old, 1))[0], { status: 'failed', error: 'the endpoint is disabled' })
  await tell(acme)
  t.equal((await deliveriesOf(old)).length, 1, 'nothing new is written for it')
  answering.status = () => 204
  await testEndpoint(boss(acme), old.id)
  const test = (await settled(old, 2)).find((row) => row['type'] === 'endpoint.test')
  t.match(test, { status: 'delivered' }, 'but for a test')
  const enabled = await patchEndpoint(outside, boss(acme), old.id, { enabled: true })
  t.match(enabled, { enabled: true, disabledReason: null, failingSince: null })
  for (const { id } of [old, gone]) await deleteEndpoint(boss(acme), id)
})

t.test('who is slow holds up only themselves', async (t) => {
  const [slow, quick] = [await create('/slow', ['run.failed'], acme), await create('/quick', ['run.failed'], beta)]
  answering.status = (path) => (path === '/slow' ? null : 204)
  await tell(acme, 30)
  await tell(beta, 3)
  const jobs = [1, 2].map(() => work(t, { timeoutMs: 60_000 }))
  await settled(quick, 3)
  await until('four of the slow one are under way', () => at('/slow').length === 4)
  t.equal((await deliveriesOf(slow)).filter((row) => row['taken']).length, 4, 'in both workers together')
  t.same(await doors.takeDeliveries(10, 4, 1000), [], 'and no more')
  await Promise.all(jobs.map((job) => job.stop()))
  t.ok(
    (await deliveriesOf(slow)).every((row) => row['status'] === 'pending'),
    'what is cut off is not lost',
  )
  answering.status = () => 204
  for (const [tenant, { id }] of [
    [acme, slow],
    [beta, quick],
  ] as const)
    await deleteEndpoint(boss(tenant), id)
})

t.test('whoever does not answer in time is tried again later', async (t) => {
  const endpoint = await create('/silent', ['run.failed'], acme)
  answering.status = () => null
  await tell(acme)
  work(t, { timeoutMs: 200 })
  t.match(await tried(endpoint, 1), { status: 'pending', error: 'no answer in time' })
  answering.status = () => 204
  await deleteEndpoint(boss(acme), endpoint.id)
})

t.test('a worker that dies loses its deliveries to the next, and can write nothing any more', async (t) => {
  const endpoint = await create('/lost', ['run.failed'], acme)
  await tell(acme)
  const [dead] = await doors.takeDeliveries(1, 4, 60_000)
  t.match(dead, { tenantId: acme.tenantId, alias: 'acme', attempt: 1 })
  t.same(await doors.takeDeliveries(1, 4, 60_000), [], 'it is under way')
  await tryNow(endpoint)
  const [next] = await doors.takeDeliveries(1, 4, 60_000)
  t.equal(next?.attempt, 2)
  const tenant = TenantContext.openSystem(place.worker, acme.tenantId, 'notifications')
  const late = { id: dead!.deliveryId, attempt: 1, endpointId: endpoint.id }
  await recordOutcome(tenant, late, { ok: false, status: 500, error: 'late' })
  t.match((await deliveriesOf(endpoint))[0], { status: 'pending', error: null, taken: true })
  await recordOutcome(tenant, { ...late, attempt: 2 }, { ok: true, status: 204 })
  t.match((await deliveriesOf(endpoint))[0], { status: 'delivered' })
  await deleteEndpoint(boss(acme), endpoint.id)
})

t.test('nothing is delivered for a suspended organization', async (t) => {
  const endpoint = await create('/suspended', ['run.failed'], acme)
  await tell(acme)
  await doors.setTenantStatus(acme.organizationId, 'suspended', 'platform:test')
  t.same(await doors.takeDeliveries(100, 100, 1000), [])
  await doors.setTenantStatus(acme.organizationId, 'active', 'platform:test')
  t.equal((await doors.takeDeliveries(100, 100, 1000)).length, 1)
  await deleteEndpoint(boss(acme), endpoint.id)
})

t.test('an outcome and the deletion of its endpoint never wait for each other', async (t) => {
  const endpoint = await create('/going', ['run.failed'], acme)
  await tell(acme)
  const [{ id }] = (await deliveriesOf(endpoint)) as [{ id: string }]
  await admin.query('update app.notification_deliveries set attempts = 1 where id = $1', [id])
  await admin.query('begin')
  await admin.query('select from app.notification_endpoints where id = $1 for update', [endpoint.id])
  const tenant = TenantContext.openSystem(place.worker, acme.tenantId, 'notifications')
  const failed = { ok: false, status: 500, error: 'answered 500' } as const
  const recorded = recordOutcome(tenant, { id, attempt: 1, endpointId: endpoint.id }, failed)
  await until('the outcome waits for the endpoint', async () => {
    const waiting = 'select from pg_locks where not granted and pg_backend_pid() = any (pg_blocking_pids(pid))'
    return (await admin.query(waiting)).rowCount !== 0
  })
  // As its deletion does, which takes the deliveries along.
  await admin.query('select from app.notification_deliveries where id = $1 for update nowait', [id]).catch(t.fail)
  await admin.query('commit')
  await recorded
  t.match(await deliveriesOf(endpoint), [{ response_status: 500 }])
  await deleteEndpoint(boss(acme), endpoint.id)
})
