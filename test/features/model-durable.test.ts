import pg from 'pg'
import t from 'tap'
import { Notifications } from '../../src/db/notifications.ts'
import { queriesOf } from '../../src/db/queries.ts'
import { takeCall } from '../../src/features/models/rate.ts'
import { pauseSession, resumeSession } from '../../src/features/sessions/service.ts'
import { memberScope } from '../support/database.ts'
import { modelPlace } from '../support/model-place.ts'
import { say, serveModel } from '../support/model-server.ts'
import { until } from '../support/until.ts'
import { startWorkerProcess } from '../support/worker-process.ts'

const { place, acme, beta, done, settle, work, usage } = await modelPlace(t)

t.test('a call that is repeated after a takeover counts once', async (t) => {
  const server = await serveModel(t, (asked, count) => (count === 1 ? undefined : done(asked)))
  await settle(acme, 'default', server)
  await work(t, [server], { beatMs: 60_000 })
  const { runId } = await place.begin(acme, 'plain', { number: 2 })
  const first = await until('the model is asked', () => server.asked[0])
  // The worker falls silent: another one takes the run, and asks again.
  await place.admin.query(`update app.runs set heartbeat_at = 'epoch' where id = $1`, [runId])
  await work(t, [server])
  await place.arrives(runId, 'waiting')
  t.equal(server.asked.length, 2)
  t.equal(new Set(server.asked.map(({ headers }) => headers['idempotency-key'])).size, 1)
  done(first) // the answer that nobody waits for any more
  t.match(await usage(acme, runId), { total: { calls: 1, requests: 1, inputTokens: 7, outputTokens: 3 } })
})

t.test('what a model says while it says it reaches those who watch, in order', async (t) => {
  const words = Array.from({ length: 300 }, (_, index) => `word ${index} ünïcødé 🔑 `)
  const server = await serveModel(t, (asked, count) => (count === 1 ? say(asked, words) : done(asked)))
  await settle(acme, 'default', server)
  const notifications = await new Notifications(place.appUrl).start()
  t.teardown(() => notifications.stop())
  const { runId, sessionId } = await place.begin(acme, 'plain', { number: 2 })
  const heard: { sequence: number; text: string; call: string; runId: string; nodeId: string }[] = []
  t.teardown(notifications.onText(acme.tenantId, sessionId, (delta) => heard.push(delta)))
  t.teardown(notifications.onText(beta.tenantId, sessionId, () => t.fail('another tenant hears it')))
  await work(t, [server])
  await place.arrives(runId, 'waiting')
  await until('all of it was heard', () => heard.map(({ text }) => text).join('') === words.join(''))
  t.same(
    heard.map(({ sequence }) => sequence),
    heard.map((_, index) => index),
  )
  t.ok(heard.length < words.length, 'many pieces came in one')
  t.match(heard[0], { call: '1.1', runId, nodeId: 'double' })
})

t.test('a tenant calls its models no faster than its rate, whoever calls; others go on', async (t) => {
  const { tenantId } = acme
  await place.admin.query('update app.tenants set model_calls_per_minute = 60 where tenant_id = $1', [tenantId])
  const databases = await Promise.all([1, 2, 3].map(() => place.connect()))
  const take = (tenant: typeof acme, patienceMs: number, at: number) =>
    takeCall(queriesOf(databases[at % 3]!, memberScope(tenant, 'builder', 'models:write')), patienceMs)
  const began = performance.now()
  const waits = await Promise.all(Array.from({ length: 40 }, (_, at) => take(acme, 0, at)))
  const granted = waits.filter((wait) => wait === 0).length
  // Ten seconds' worth at once, and one more for each second that this took.
  t.ok(granted >= 10, `${granted} of 40 at once`)
  t.ok(granted <= 11 + (performance.now() - began) / 1000, `no more than the rate: ${granted}`)
  t.ok(
    waits.every((wait) => wait <= 1000),
    'what was not taken is not booked',
  )
  const observer = new pg.Client(place.adminUrl)
  await observer.connect()
  t.teardown(() => observer.end())
  const nextAt = async () => {
    const { rows } = await place.admin.query('select next_at from app.model_rates where tenant_id = $1', [tenantId])
    return rows[0].next_at.getTime() as number
  }
  const before = await nextAt()
  await Promise.all(Array.from({ length: 5 }, (_, at) => take(acme, 60_000, at)))
  t.equal((await nextAt()) - before, 5000, 'each who waits has a turn of its own, a second apart')
  // Whoever comes while another call takes its turn sees what that one left.
  await place.admin.query('update app.tenants set model_calls_per_minute = 1 where tenant_id = $1', [tenantId])
  await place.admin.query(`update app.model_rates set next_at = '-infinity' where tenant_id = $1`, [tenantId])
  await place.admin.query('begin')
  await place.admin.query('select from app.model_rates where tenant_id = $1 for update', [tenantId])
  const crowd = Promise.all(Array.from({ length: 6 }, (_, at) => take(acme, 0, at)))
  await until('some wait for each other', async () => {
    const { rows } = await observer.query(`select count(*)::int as blocked from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`)
    return rows[0].blocked >= 2
  })
  await place.admin.query('commit')
  t.equal((await crowd).filter((wait) => wait === 0).length, 1, 'one of those who came at once')
  t.same(await Promise.all(Array.from({ length: 20 }, (_, at) => take(beta, 0, at))), Array(20).fill(0))
})

t.test('a run that waits for its turn is let go of, and goes on later', async (t) => {
  const server = await serveModel(t, done)
  for (const tenant of [acme, beta]) await settle(tenant, 'default', server)
  await place.admin.query('update app.tenants set model_calls_per_minute = 1 where tenant_id = $1', [acme.tenantId])
  await work(t, [server])
  const first = await place.begin(acme, 'plain', { number: 2 })
  await place.arrives(first.runId, 'waiting')
  const second = await place.begin(acme, 'plain', { number: 2 })
  await until('it waits for its turn', async () => (await place.rowsOf('run_steps', second.runId))[0])
  const other = await place.begin(beta, 'plain', { number: 2 })
  await place.arrives(other.runId, 'waiting')
  await pauseSession(place.as(acme, 'operator', 'runs:write'), second.sessionId)
  await place.arrives(second.runId, 'paused')
  t.equal(server.asked.length, 2, 'the waiting run has asked nothing')
  await place.admin.query('delete from app.model_rates')
  await resumeSession(place.as(acme, 'operator', 'runs:write'), second.sessionId, new Date())
  await place.arrives(second.runId, 'waiting')
  t.match(await usage(acme, second.runId), { total: { calls: 1, requests: 1 } })
})

t.test('a worker of its own process opens keys, asks models and tells what they say', async (t) => {
  const server = await serveModel(t, (asked, count) => (count === 1 ? say(asked, ['one ', 'two']) : done(asked)))
  await settle(acme, 'default', server)
  const notifications = await new Notifications(place.appUrl).start()
  t.teardown(() => notifications.stop())
  const { runId, sessionId } = await place.begin(acme, 'plain', { number: 2 })
  let heard = ''
  t.teardown(notifications.onText(acme.tenantId, sessionId, ({ text }) => (heard += text)))
  const worker = await startWorkerProcess(place, { environment: { ENGINEX_EGRESS_ALLOW: server.host } })
  await place.arrives(runId, 'waiting')
  t.equal(server.asked[0]!.headers.authorization, 'Bearer sk-sentinel-acme-default')
  await until('it was told', () => heard === 'one two')
  worker.signal('SIGTERM')
  t.match(await worker.exited, { code: 0 })
})
