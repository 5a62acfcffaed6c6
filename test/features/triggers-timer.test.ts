import t from 'tap'
import { addMember } from '../support/database.ts'
import { addTrigger, hourly, runTimers, triggerTests } from '../support/triggers.ts'
import { until } from '../support/until.ts'
import { workplace } from '../support/work.ts'
import { startWorkerProcess } from '../support/worker-process.ts'

// What fires, and what stops it. The database's clock is the only one, so times are written, not waited for.
const place = await workplace(t)
const { admin, doors } = place
const { newTenant, one, firingsOf, dueSince, nothingDue } = triggerTests(place)

t.test('a timer starts a session in its own name, and knows when it comes again', async (t) => {
  const acme = await newTenant()
  const trigger = await addTrigger(place, acme, { ...hourly, name: 'hourly', runImmediately: true })
  await runTimers(t, place)
  const { last_session_id } = await until('it fires', async () => {
    const row = await one('select * from triggers where id = $1', [trigger.id])
    return row.last_session_id && row
  })
  const session = await one('select * from sessions where id = $1', [last_session_id])
  t.match(session, { title: 'hourly', input: { number: 4 }, created_by: `trigger:${trigger.id}` })
  const after = await one('select due_at - created_at as ahead from triggers where id = $1', [trigger.id])
  t.match(after.ahead, { hours: 1 }, 'an hour after the first time')
  const audit = await one(`select actor from audit_entries where resource = $1`, [`session:${last_session_id}`])
  t.equal(audit.actor, `trigger:${trigger.id}`)
})

t.test('what is missed while nothing fires, by policy', async (t) => {
  const acme = await newTenant()
  const add = (misfire: 'skip' | 'fire_once' | 'fire_all') =>
    addTrigger(place, acme, { ...hourly, name: misfire, misfire, maxConcurrent: 50 })
  const [skip, once, all, month] = [await add('skip'), await add('fire_once'), await add('fire_all'), { id: '' }]
  month.id = (await addTrigger(place, acme, { ...hourly, name: 'month', misfire: 'fire_all', maxConcurrent: 50 })).id
  for (const { id } of [skip, once, all])
    await dueSince(id, "date_trunc('hour', now()) - interval '5 hours 10 minutes'")
  await dueSince(month.id, "now() - interval '31 days'")
  await runTimers(t, place)
  await nothingDue()
  t.same(await firingsOf(skip.id), ['skipped conflict'])
  t.same(await firingsOf(once.id), ['started'])
  const made = await firingsOf(all.id)
  t.ok(made.length >= 5 && made.every((outcome) => outcome === 'started'), `${made.length} were made up for`)
  t.same(
    await firingsOf(month.id),
    ['skipped conflict', ...Array.from({ length: 24 }, () => 'started')],
    'not a month of them',
  )
  const next = await one('select count(*)::int as n from triggers where tenant_id = $1 and due_at > now()', [
    acme.tenantId,
  ])
  t.equal(next.n, 4, 'and each comes again')
})

t.test('a worker sleeps until the next timer is due, and hears of one that is sooner', async (t) => {
  const acme = await newTenant()
  const { id } = await addTrigger(place, acme, { ...hourly, name: 'timer' })
  await dueSince(id, "now() + interval '700 milliseconds'")
  const timer = await runTimers(t, place, 60_000)
  await until('it fires at its time, though nobody polls', async () => (await firingsOf(id)).length === 1)
  const [row] = (
    await admin.query('select fired_at >= due_at as after from trigger_firings where trigger_id = $1', [id])
  ).rows
  t.equal(row.after, true)
  const { id: sooner } = await addTrigger(place, acme, { ...hourly, name: 'sooner', runImmediately: true })
  timer.look()
  await until('the new one fires', async () => (await firingsOf(sooner)).length === 1)
})

t.test('a worker as it is started fires timers and advances what they start', async (t) => {
  const acme = await newTenant()
  const worker = await startWorkerProcess(place)
  t.teardown(() => worker.signal('SIGKILL', true))
  const { id } = await addTrigger(place, acme, { ...hourly, name: 'timer', runImmediately: true })
  const { run } = await until('it fires', async () => {
    const text = 'select id as run from runs where trigger_id = $1'
    return await one(text, [id])
  })
  await place.arrives(run, 'waiting')
  worker.signal('SIGTERM')
  t.equal((await worker.exited).code, 0, 'and ends when it is asked to')
})

t.test('while its runs are not finished a timer starts no more than it may', async (t) => {
  const acme = await newTenant()
  const { id } = await addTrigger(place, acme, { ...hourly, name: 'slow' })
  await runTimers(t, place)
  for (const minutes of [3, 2]) {
    await dueSince(id, `date_trunc('minute', now()) - interval '${minutes * 10} seconds'`)
    await nothingDue()
  }
  t.same(await firingsOf(id), ['started', 'skipped conflict'])
  await admin.query(`update runs set status = 'completed' where trigger_id = $1`, [id])
  await dueSince(id, "date_trunc('minute', now()) - interval '5 seconds'")
  await nothingDue()
  t.same(await firingsOf(id), ['started', 'skipped conflict', 'started'])
})

t.test('an agent that cannot be started is told of on the firing, and the timer goes on', async (t) => {
  const acme = await newTenant()
  const { id } = await addTrigger(place, acme, { ...hourly, name: 'archived' })
  await admin.query(`update agents set status = 'archived' where tenant_id = $1`, [acme.tenantId])
  await dueSince(id, 'now()')
  await runTimers(t, place)
  await nothingDue()
  t.same(await firingsOf(id), ['failed conflict'])
  const { reason } = await one('select reason from trigger_firings where trigger_id = $1', [id])
  t.match(reason.message, /tiny is archived/)
})

t.test('a timer that fails for no fault of its own is tried again, and holds up no other', async (t) => {
  const acme = await newTenant()
  const [bad, good] = [
    await addTrigger(place, acme, { ...hourly, name: 'bad', runImmediately: true }),
    await addTrigger(place, acme, { ...hourly, name: 'good', runImmediately: true }),
  ]
  // Nothing that the schema allows: a schedule that no version of this program writes.
  await admin.query(`update triggers set schedule = '{"cron": 5, "timeZone": "UTC"}' where id = $1`, [bad.id])
  await runTimers(t, place)
  await until('the good one fires', async () => (await firingsOf(good.id)).length > 0)
  await nothingDue()
  const row = await one('select due_at <= now() as due, next_at - now() as left from triggers where id = $1', [bad.id])
  t.match(row, { due: true }, 'its time is still to come')
  t.ok(row.left.seconds <= 30 && !row.left.minutes)
  await admin.query(`update triggers set schedule = '{"everyMinutes": 60}', next_at = due_at where id = $1`, [bad.id])
  await until('the bad one fires', async () => (await firingsOf(bad.id)).length > 0)
})

t.test('when its owner leaves, a trigger stops where everybody sees it', async (t) => {
  const acme = await newTenant()
  const [timer, hook] = [
    await addTrigger(place, acme, { ...hourly, name: 'timer', runImmediately: true }),
    await addTrigger(place, acme, { kind: 'webhook', name: 'hook' }),
  ]
  await addMember(doors, acme.tenantId, acme.members.builder, ['auditor'])
  for (const { id } of [timer, hook]) {
    const row = await one('select enabled, disabled_reason, due_at, next_at from triggers where id = $1', [id])
    t.same(row, { enabled: false, disabled_reason: 'owner_left', due_at: null, next_at: null })
    const audit = await one(`select * from audit_entries where resource = $1 and action = 'triggers.disable'`, [
      `trigger:${id}`,
    ])
    t.match(audit, { actor: 'system:triggers', tenant_id: acme.tenantId, details: { reason: 'owner_left' } })
  }
})

t.test('an owner whose rights ended where no membership changed fires nothing, and is found', async (t) => {
  const acme = await newTenant()
  const { id } = await addTrigger(place, acme, { ...hourly, name: 'timer', runImmediately: true })
  await admin.query('alter table memberships disable trigger changed')
  await addMember(doors, acme.tenantId, acme.members.builder, [])
  await admin.query('alter table memberships enable trigger changed')
  t.equal((await one('select enabled from triggers where id = $1', [id])).enabled, true)
  await runTimers(t, place)
  await until('it is disabled', async () => !(await one('select enabled from triggers where id = $1', [id])).enabled)
  t.same(await firingsOf(id), [])
  t.equal((await one('select disabled_reason from triggers where id = $1', [id])).disabled_reason, 'owner_left')
})

t.test('the timers of a suspended tenant rest, and go on when it is reactivated', async (t) => {
  const acme = await newTenant()
  const { id } = await addTrigger(place, acme, { ...hourly, name: 'timer' })
  await doors.setTenantStatus(acme.organizationId, 'suspended', 'platform:test')
  const parked = await one('select due_at is not null as due, next_at from triggers where id = $1', [id])
  t.same(parked, { due: true, next_at: null }, 'nobody looks at it')
  await admin.query(`update triggers set due_at = now() - interval '3 hours' where id = $1`, [id])
  await runTimers(t, place)
  await doors.setTenantStatus(acme.organizationId, 'active', 'platform:test')
  await until('it fires', async () => (await firingsOf(id)).length > 0)
  t.same(await firingsOf(id), ['started'], 'once for what was missed')
})
