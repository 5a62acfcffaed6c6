import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { inheritedEnvironment } from '../../src/config.ts'
import { recordTransition } from '../../src/features/runs/progress.ts'
import { TenantContext } from '../../src/tenancy/context.ts'
import { createRunner } from '../../src/worker/runner.ts'
import { seedTenant } from '../support/database.ts'
import { noMcp } from '../support/mcp.ts'
import { tinyPackage } from '../support/tiny-package.ts'
import { until } from '../support/until.ts'
import { gate, workplace } from '../support/work.ts'

const place = await workplace(t)
const { admin, doors } = place
const acme = await seedTenant(doors, 'acme')
const beta = await seedTenant(doors, 'beta')
for (const tenant of [acme, beta]) await place.deploy(tenant, 'tiny', tinyPackage())
const busy =
  'export default ({ number }) => { const end = 4e7; let x = 0; for (let i = 0; i < end; i++) x ^= i; return { doubled: number * 2 } }'
await place.deploy(acme, 'busy', tinyPackage({ name: 'busy', tools: { double: busy }, timeoutMs: 60_000 }))

/** What there must be once, whatever happened on the way to the approval. */
async function assertOnce(t: Test, runId: string, sessionId: string): Promise<void> {
  t.equal((await place.rowsOf('approvals', runId)).length, 1, 'one approval')
  const steps = await place.rowsOf('run_steps', runId)
  t.same(steps.map((step) => [step['node_id'], step['attempt']]).sort(), [
    ['double', 1],
    ['review', 1],
  ])
  const { rows } = await admin.query('select type from session_events where session_id = $1', [sessionId])
  for (const type of ['execution_started', 'tool_call_completed', 'approval_requested']) {
    t.equal(rows.filter((row) => row.type === type).length, 1, `${type} once`)
  }
}

t.test('a worker that fell silent loses its run; what it does afterwards is refused', async (t) => {
  const stuck = gate()
  const silent = await place.work(t, { beatMs: 60_000, before: stuck.pass })
  const { sessionId, runId } = await place.begin(acme, 'tiny', { number: 3 })
  await until('the first worker runs the tool', () => stuck.came === 1)
  const [first] = (await admin.query('select * from runs where id = $1', [runId])).rows

  await place.work(t, { silentMs: 300 })
  const waiting = await place.arrives(runId, 'waiting')
  t.equal(waiting['epoch'], first.epoch + 1)
  const before = await place.rowsOf('checkpoints', runId)
  stuck.open()
  await until('the first worker lets go', () => silent.held === 0)
  t.equal((await place.rowsOf('checkpoints', runId)).length, before.length, 'the late result was not written')
  await assertOnce(t, runId, sessionId)

  const stale = TenantContext.openRun(place.worker, acme.tenantId, runId, first.epoch)
  const transition = { state: {} as never, status: 'failed', writes: {}, events: [], effects: [], steps: [] } as const
  const write = recordTransition(stale, { runId, sessionId }, 9, transition, {
    events: [],
    answered: null,
    workedMs: 0,
  })
  await t.rejects(write, { code: 'conflict' }, 'a write with the old epoch is refused by the database')
  const huge = { ...transition, state: { conversations: 'x'.repeat(16 * 1024 * 1024) } as never }
  const tooMuch = recordTransition(stale, { runId, sessionId }, 9, huge, { events: [], answered: null, workedMs: 0 })
  await t.rejects(tooMuch, { code: 'payload_too_large' }, 'no state grows without end')
})

t.test('kill -9 in the middle of a tool: another worker finishes the run', async (t) => {
  const child = startProcess(t)
  const { sessionId, runId } = await place.begin(acme, 'busy', { number: 4 })
  await until('the process works on it', async () => (await place.rowsOf('checkpoints', runId)).length > 0)
  child.kill('SIGKILL')
  await once(child, 'exit')
  const started = performance.now()
  await place.work(t, { silentMs: 500 })
  await place.arrives(runId, 'waiting')
  t.comment(`taken over and brought to the approval ${Math.round(performance.now() - started)} ms after the kill`)
  await assertOnce(t, runId, sessionId)

  await place.answer(acme, runId, 'approve')
  await place.arrives(runId, 'completed')
  t.equal((await place.rowsOf('reports', runId)).length, 1)
})

t.test('SIGTERM ends the process cleanly; its run goes on elsewhere without waiting for the silence', async (t) => {
  const child = startProcess(t)
  const { sessionId, runId } = await place.begin(acme, 'busy', { number: 5 })
  await until('the process works on it', async () => (await place.rowsOf('checkpoints', runId)).length > 0)
  const started = performance.now()
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  t.same(await exit, [0, null], 'a clean exit')
  t.ok(performance.now() - started < 10_000, 'within 10 s')
  await place.work(t, { silentMs: 600_000 })
  await place.arrives(runId, 'waiting')
  await assertOnce(t, runId, sessionId)
})

t.test('a worker that stops hands over what takes too long', async (t) => {
  const stuck = gate()
  const stopping = await place.work(t, { graceMs: 50, before: stuck.pass })
  const { sessionId, runId } = await place.begin(acme, 'tiny', { number: 5 })
  await until('the tool runs', () => stuck.came === 1)
  await stopping.stop()
  const [left] = await place.rowsOf('runs', runId)
  t.match(left, { status: 'running', worker_id: null, takeovers: -1 })
  await place.work(t, { silentMs: 600_000 })
  t.match(await place.arrives(runId, 'waiting'), { takeovers: 0 })
  await assertOnce(t, runId, sessionId)
  stuck.open()
})

t.test('a run that its workers do not survive fails, and takes no more of them along', async (t) => {
  const stuck = gate()
  await place.work(t, { beatMs: 60_000, before: stuck.pass })
  const { runId } = await place.begin(acme, 'tiny', { number: 5 })
  await until('the tool runs', () => stuck.came === 1)
  await admin.query('update runs set takeovers = 5 where id = $1', [runId])
  await place.work(t, { silentMs: 200 })
  t.match(await place.arrives(runId, 'failed'), { error: { code: 'worker_lost' } })
  stuck.open()
})

t.test('a run that took its worker along twice goes on in a process of its own', async (t) => {
  const runs = await Promise.all([1, 2].map((number) => place.begin(acme, 'busy', { number })))
  const taken = await doors.takeRuns(acme.tenantId, 2, 60_000)
  t.same(taken.map(({ runId }) => runId).sort(), runs.map(({ runId }) => runId).sort())
  const runner = createRunner(settings(), 1000)
  t.teardown(() => runner.close())
  const innocent = runner.start(taken[0]!)
  const before = children()
  const suspect = runner.start({ ...taken[1]!, takeovers: 2 })
  const [alone] = children().filter((pid) => !before.includes(pid))
  process.kill(alone!, 'SIGKILL')
  await t.rejects(suspect.done, /SIGKILL/)
  await innocent.done
  await place.work(t, { silentMs: 200 })
  for (const { runId } of runs) await place.arrives(runId, 'waiting')
})

t.test('what is asked of a run while its process begins is heard', async (t) => {
  const { runId } = await place.begin(acme, 'busy', { number: 1 })
  const [taken] = await doors.takeRuns(acme.tenantId, 1, 60_000)
  const runner = createRunner(settings(), 1000)
  t.teardown(() => runner.close())
  const flight = runner.start(taken!)
  flight.ask('handover')
  await flight.done
  t.match(await place.rowsOf('checkpoints', runId), [], 'nothing was done')
  await place.work(t, { silentMs: 600_000 })
  await place.arrives(runId, 'waiting')
})

function settings() {
  const model = { baseUrl: undefined, name: undefined, apiKey: undefined, allow: [] }
  const { workerUrl: databaseUrl, directory: filesDirectory, keysDirectory } = place
  const directories = { databaseUrl, filesDirectory, keysDirectory }
  return { ...directories, model, mcp: noMcp, slots: 2, graceMs: 100, logLevel: 'error' }
}

function children(): number[] {
  return readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
}

t.test('nobody takes what another worker was heard of just now, however impatient', async (t) => {
  const stuck = gate()
  await place.work(t, { beatMs: 20, before: stuck.pass })
  const { runId } = await place.begin(acme, 'tiny', { number: 5 })
  await until('the tool runs', () => stuck.came === 1)
  await admin.query('update runs set heartbeat_at = now() where id = $1', [runId])
  t.same(await doors.takeRuns(acme.tenantId, 10, -1000), [])
  stuck.open()
  await place.arrives(runId, 'waiting')
})

t.test('the cap is hard, whoever asks; another tenant has its own', async (t) => {
  const tools = gate()
  let most = 0
  const watch = async () => {
    const { rows } = await admin.query(
      `select count(*)::int as n from runs where status = 'running' and tenant_id = $1`,
      [acme.tenantId],
    )
    most = Math.max(most, rows[0].n)
    await tools.pass()
  }
  const workers = [await place.work(t, { before: watch }), await place.work(t, { before: watch })]
  const runs = await Promise.all(Array.from({ length: 12 }, () => place.begin(acme, 'tiny', { number: 1 })))
  const other = await place.begin(beta, 'tiny', { number: 1 })
  await until('four and one run', () => workers[0]!.held + workers[1]!.held === 5)
  await until('their tools have begun', () => tools.came === 5)
  tools.open()
  for (const { runId } of [...runs, other]) await place.arrives(runId, 'waiting')
  t.equal(most, 4, 'never more than the cap of acme at once')
})

t.test('a run whose time is over lets the next tenant in, and goes on after it', async (t) => {
  const tool = gate()
  const first = await place.begin(acme, 'tiny', { number: 9 })
  await place.work(t, { slots: 1, sliceMs: 0, before: tool.pass })
  await until('it has the only slot', () => tool.came === 1)
  const next = await place.begin(beta, 'tiny', { number: 9 })
  tool.open()
  await place.arrives(next.runId, 'waiting')
  await place.arrives(first.runId, 'waiting')
  t.equal(tool.came, 2, 'no tool ran twice')
})

t.test('a suspended tenant’s runs rest, and go on when it is active again', async (t) => {
  const tool = gate()
  const worker = await place.work(t, { before: tool.pass, silentMs: 500 })
  const begun = await place.begin(beta, 'tiny', { number: 6 })
  await until('its tool runs', () => tool.came === 1)
  const queued = await place.begin(beta, 'tiny', { number: 7 })
  await place.arrives(queued.runId, 'running')
  await doors.setTenantStatus(beta.organizationId, 'suspended', 'platform:test')
  tool.open()
  await until('the worker lets go', () => worker.held === 0)
  const own = await place.begin(acme, 'tiny', { number: 8 })
  await place.arrives(own.runId, 'waiting')
  t.equal((await place.rowsOf('approvals', begun.runId)).length, 0, 'nothing was written for the suspended tenant')
  t.equal(worker.held, 0, 'and nothing taken')
  await doors.setTenantStatus(beta.organizationId, 'active', 'platform:test')
  await place.arrives(begun.runId, 'waiting')
  await place.arrives(queued.runId, 'waiting')
})

function startProcess(t: Test): ChildProcess {
  const child = spawn(process.execPath, ['src/worker/main.ts'], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: {
      ...inheritedEnvironment(),
      ENGINEX_DATABASE_URL: place.workerUrl,
      ENGINEX_FILES_DIRECTORY: place.directory,
      ENGINEX_KEYS_DIRECTORY: place.keysDirectory,
      ENGINEX_LOG_LEVEL: 'error',
    },
  })
  t.teardown(() => child.kill('SIGKILL'))
  return child
}
