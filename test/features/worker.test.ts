import t from 'tap'
import { cancelSession, pauseSession, resumeSession } from '../../src/features/sessions/service.ts'
import { seedTenant } from '../support/database.ts'
import { tinyPackage } from '../support/tiny-package.ts'
import { until } from '../support/until.ts'
import { gate, workplace } from '../support/work.ts'

const place = await workplace(t)
const { doors } = place
const acme = await seedTenant(doors, 'acme')
const beta = await seedTenant(doors, 'beta')
for (const tenant of [acme, beta]) await place.deploy(tenant, 'tiny', tinyPackage())

const now = () => new Date()

t.test('a run goes to its approval, waits without a slot, and ends after the decision', async (t) => {
  const worker = await place.work(t)
  const { sessionId, runId } = await place.begin(acme, 'tiny', { number: 21 })
  const waiting = await place.arrives(runId, 'waiting')
  t.match(waiting, { current_node: 'review', error: null, finished_at: null })
  await until('the worker holds nothing', () => worker.held === 0)
  t.match(await place.rowsOf('approvals', runId), [{ status: 'pending', title: 'Is this right?' }])
  t.match((await place.rowsOf('approvals', runId))[0]?.['payload'], {
    message: 'It is 42.',
    proposal: { key: 'doubled', value: 42 },
  })

  await place.answer(acme, runId, 'approve')
  const ended = await place.arrives(runId, 'completed')
  t.match(ended, { current_node: 'publish', error: null, requested: null })
  t.ok(ended['finished_at'])
  const [report] = await place.rowsOf('reports', runId)
  t.match(report, { title: 'Doubled', session_id: sessionId })
  const text = await place.files.bytes(`tenants/${acme.tenantId}/reports/${runId}/${report?.['call']}/report.json`)
  t.match(JSON.parse(String(text)), { facts: [{ value: '42' }, { value: 'because' }] })
  const steps = await place.rowsOf('run_steps', runId)
  t.same(
    steps.map((step) => [step['node_id'], step['status']]),
    ['double', 'review', 'conclude', 'publish'].map((node) => [node, 'completed']),
  )
  const types = await place.eventsOf(sessionId)
  for (const type of ['approval_requested', 'approval_decided', 'report_written', 'execution_completed']) {
    t.equal(types.filter((one) => one === type).length, 1, `${type} once`)
  }
  t.equal(types.at(-1), 'execution_completed')
})

t.test('an edited proposal is what the run goes on with', async (t) => {
  await place.work(t)
  const { runId } = await place.begin(acme, 'tiny', { number: 1 })
  await place.arrives(runId, 'waiting')
  await place.answer(acme, runId, 'edit', 5)
  await place.arrives(runId, 'completed')
  const [report] = await place.rowsOf('reports', runId)
  const text = await place.files.bytes(`tenants/${acme.tenantId}/reports/${runId}/${report?.['call']}/report.json`)
  t.match(JSON.parse(String(text)).facts[0], { value: '5' })
})

t.test('a rejection without an edge ends the run as rejected', async (t) => {
  await place.work(t)
  const { runId } = await place.begin(acme, 'tiny', { number: 1 })
  await place.arrives(runId, 'waiting')
  await place.answer(acme, runId, 'reject')
  await place.arrives(runId, 'rejected')
})

t.test('pause lets the step finish and leaves the run at its checkpoint; resume goes on', async (t) => {
  const tool = gate()
  const worker = await place.work(t, { before: tool.pass })
  const { sessionId, runId } = await place.begin(acme, 'tiny', { number: 2 })
  await until('the tool runs', () => tool.came === 1)
  const operator = place.as(acme, 'operator', 'runs:write')
  await pauseSession(operator, sessionId)
  t.equal((await place.arrives(runId, 'running'))['requested'], 'pause')
  tool.open()
  t.match(await place.arrives(runId, 'paused'), { requested: null, seq: 2 })
  await until('the worker holds nothing', () => worker.held === 0)
  await resumeSession(operator, sessionId, now())
  await place.arrives(runId, 'waiting')
  t.equal(tool.came, 1, 'the tool ran once')
  t.ok((await place.eventsOf(sessionId)).includes('execution_paused'))
})

t.test('a pause that is taken back in time changes nothing', async (t) => {
  const tool = gate()
  await place.work(t, { before: tool.pass })
  const { sessionId, runId } = await place.begin(acme, 'tiny', { number: 2 })
  await until('the tool runs', () => tool.came === 1)
  const operator = place.as(acme, 'operator', 'runs:write')
  await pauseSession(operator, sessionId)
  await resumeSession(operator, sessionId, now())
  tool.open()
  await place.arrives(runId, 'waiting')
  t.equal((await place.rowsOf('approvals', runId)).length, 1)
})

t.test('a decision that comes while the run is paused is found when it goes on', async (t) => {
  await place.work(t)
  const { sessionId, runId } = await place.begin(acme, 'tiny', { number: 2 })
  await place.arrives(runId, 'waiting')
  const operator = place.as(acme, 'operator', 'runs:write')
  await pauseSession(operator, sessionId)
  await resumeSession(operator, sessionId, now())
  await place.arrives(runId, 'waiting')
  await pauseSession(operator, sessionId)
  await place.answer(acme, runId, 'approve')
  await place.arrives(runId, 'paused')
  await resumeSession(operator, sessionId, now())
  await place.arrives(runId, 'completed')
})

t.test('cancel of a run that waits leaves no open step', async (t) => {
  await place.work(t)
  const { sessionId, runId } = await place.begin(acme, 'tiny', { number: 2 })
  await place.arrives(runId, 'waiting')
  await cancelSession(place.as(acme, 'operator', 'runs:write'), sessionId, now())
  t.match((await place.rowsOf('run_steps', runId)).map((step) => step['status']).sort(), ['completed', 'failed'])
})

t.test('cancel ends a running tool at once, and withdraws what was asked', async (t) => {
  await place.deploy(
    acme,
    'endless',
    tinyPackage({ name: 'endless', tools: { double: 'export default () => { for (;;); }' }, timeoutMs: 60_000 }),
  )
  await place.work(t, { beatMs: 60_000 })
  const { sessionId, runId } = await place.begin(acme, 'endless')
  await until('the tool runs', async () => (await place.rowsOf('checkpoints', runId)).length > 0)
  const started = performance.now()
  await cancelSession(place.as(acme, 'operator', 'runs:write'), sessionId, now())
  t.match(await place.arrives(runId, 'cancelled'), { error: null, requested: null })
  t.ok(performance.now() - started < 3000, 'without waiting for the heartbeat or the time limit')
  t.match(await place.rowsOf('run_steps', runId), [{ status: 'failed', error: { code: 'cancelled' } }])
  t.equal((await place.eventsOf(sessionId)).at(-1), 'execution_cancelled')
})
