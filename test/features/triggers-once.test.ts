import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { fireDue } from '../../src/worker/fire-timer.ts'
import type { TestTenant } from '../support/database.ts'
import { addTrigger, copyTimer, hourly, runTimers, triggerTests } from '../support/triggers.ts'
import { until } from '../support/until.ts'
import { workplace } from '../support/work.ts'

// A time fires exactly once, whoever looks, dies or lags behind; and in its turn.
const place = await workplace(t)
const { admin, doors } = place
const { newTenant, one, firingsOf, dueSince, nothingDue } = triggerTests(place)

async function assertOnce(t: Test, tenants: readonly TestTenant[], expected: number): Promise<void> {
  const ids = tenants.map(({ tenantId }) => tenantId)
  const of = 'tenant_id = any ($1)'
  const firings = await one(
    `select count(*)::int, count(distinct (trigger_id, due_at))::int as times, count(distinct session_id)::int as sessions,
            count(*) filter (where outcome <> 'started')::int as others from trigger_firings where ${of}`,
    [ids],
  )
  t.same(firings, { count: expected, times: expected, sessions: expected, others: 0 }, 'each time fired once')
  const { n } = await one(`select count(*)::int as n from sessions where ${of} and created_by like 'trigger:%'`, [ids])
  t.equal(n, expected, 'no session that no firing tells of')
  const strays = await one(
    `select count(*)::int as n from trigger_firings f join sessions s on s.id = f.session_id
      where f.tenant_id = any ($1) and (s.tenant_id <> f.tenant_id or s.created_by <> 'trigger:' || f.trigger_id)`,
    [ids],
  )
  t.equal(strays.n, 0, 'each in its own tenant, in the name of its trigger')
}

t.test('two schedulers race over hundreds of due timers of many tenants: each fires once', async (t) => {
  const tenants = [await newTenant(), await newTenant(), await newTenant()]
  for (const tenant of tenants) {
    const { id } = await addTrigger(place, tenant, { ...hourly, name: 'many' })
    await copyTimer(place, id, 100)
  }
  await Promise.all([runTimers(t, place), runTimers(t, place), runTimers(t, place)])
  await nothingDue()
  await assertOnce(t, tenants, 300)
})

t.test('schedulers that are killed at any moment leave no time out and none twice', async (t) => {
  const acme = await newTenant()
  const { id } = await addTrigger(place, acme, { ...hourly, name: 'many' })
  await copyTimer(place, id, 400)
  const begin = () => fork(new URL('../support/timer-process.ts', import.meta.url), [place.workerUrl])
  const children: ChildProcess[] = [begin(), begin()]
  t.teardown(() => children.map((child) => child.kill('SIGKILL')))
  const fired = async () => {
    const text = 'select count(*)::int as n from trigger_firings where tenant_id = $1'
    return (await one(text, [acme.tenantId])).n as number
  }
  for (const goal of [20, 70, 130, 200, 280, 350]) {
    await until(`${goal} have fired`, async () => (await fired()) >= goal)
    const child = children.shift()!
    child.kill('SIGKILL')
    await once(child, 'exit')
    children.push(begin())
  }
  await until('all have fired', async () => (await fired()) >= 400)
  await nothingDue()
  await assertOnce(t, [acme], 400)
})

t.test('a tenant with 10,000 due timers does not hold up another', async (t) => {
  const [busy, quiet] = [await newTenant(), await newTenant()]
  const { id } = await addTrigger(place, busy, { ...hourly, name: 'many' })
  await copyTimer(place, id, 10_000, "now() - interval '30 seconds'")
  const single = await addTrigger(place, quiet, { ...hourly, name: 'single', runImmediately: true })
  const batch = await doors.dueTriggers(20)
  t.ok(
    batch.some(({ triggerId }) => triggerId === single.id),
    'it is in the very first batch',
  )
  const timer = await runTimers(t, place)
  await until('it fires', async () => (await firingsOf(single.id)).length > 0)
  await timer.stop()
  const { n } = await one('select count(*)::int as n from trigger_firings where tenant_id = $1', [busy.tenantId])
  t.ok(n < 1000, `long before the ${10_000 - n} that are left`)
  await admin.query('update triggers set due_at = null, next_at = null where tenant_id = $1', [busy.tenantId])
})

t.test('a clock that goes back fires no time again', async (t) => {
  const acme = await newTenant()
  const { id } = await addTrigger(place, acme, { ...hourly, name: 'back' })
  const due = "date_trunc('minute', now()) - interval '1 second'"
  await dueSince(id, due)
  const timer = await runTimers(t, place)
  await nothingDue()
  t.same(await firingsOf(id), ['started'])
  const first = await one('select due_at from trigger_firings where trigger_id = $1', [id])
  await admin.query('update triggers set due_at = $2, next_at = $2 where id = $1', [id, first.due_at])
  timer.look()
  await nothingDue()
  t.same(await firingsOf(id), ['started'], 'the same time came once more')
})

t.test('whichever write of a firing fails, nothing of it is there, and its time still comes', async (t) => {
  const acme = await newTenant()
  const { id } = await addTrigger(place, acme, { ...hourly, name: 'timer' })
  await admin.query(`create function fail() returns trigger language plpgsql as $$ begin raise 'no'; end $$`)
  const services = { database: place.database, doors, log: { error: () => undefined } }
  const left = async () => {
    const counts = ['sessions', 'runs', 'session_events', 'trigger_firings'].map(
      (table) => `(select count(*) from ${table} where tenant_id = $1)`,
    )
    return (await one(`select ${counts.join(' + ')} as n`, [acme.tenantId])).n
  }
  await dueSince(id, 'now()')
  for (const table of ['sessions', 'runs', 'audit_entries', 'session_events', 'trigger_firings', 'triggers']) {
    await admin.query(`create trigger fail before insert or update on ${table} execute function fail()`)
    await fireDue(services, { tenantId: acme.tenantId, triggerId: id, waitMs: 0 })
    await admin.query(`drop trigger fail on ${table}`)
    t.equal(await left(), '0', table)
    t.equal((await one('select due_at <= now() as due from triggers where id = $1', [id])).due, true)
    await admin.query('update triggers set next_at = due_at where id = $1', [id])
  }
  await fireDue(services, { tenantId: acme.tenantId, triggerId: id, waitMs: 0 })
  t.same(await firingsOf(id), ['started'])
})
