import t from 'tap'
import { getStep } from '../../src/features/runs/service.ts'
import type { SandboxRequest } from '../../src/providers/sandbox.ts'
import { seedTenant } from '../support/database.ts'
import { until } from '../support/until.ts'
import { gate, workplace } from '../support/work.ts'

// Branches that run side by side in the worker: people answer in one while tools work in another.

const place = await workplace(t)
const acme = await seedTenant(place.doors, 'acme')

interface Branches {
  readonly nodes: readonly object[]
  readonly graph?: object
}

/** begin -> each of the nodes side by side -> end (a tool that counts who came). */
function branching(name: string, { nodes, graph = {} }: Branches): Map<string, Buffer> {
  const ids = nodes.map((node) => (node as { id: string }).id)
  const tool = (id: string) => ({ id, type: 'function', tool: id, inputKeys: [], outputKeys: [] })
  const manifest = {
    name,
    version: '1.0.0',
    description: 'Branches.',
    goal: { name: 'Branch', description: 'Comes together again.' },
    graph: {
      entryNode: 'begin',
      nodes: [tool('begin'), ...nodes, { ...tool('end'), inputKeys: [...ids], outputKeys: ['came'] }],
      edges: ids.flatMap((id) => [
        { source: 'begin', target: id, condition: 'on_success' },
        { source: id, target: 'end', condition: 'on_success' },
      ]),
      terminalNodes: ['end'],
      ...graph,
    },
    tools: ['begin', 'slow', 'broken', 'end'].map((one) => ({
      name: one,
      file: `tools/${one}.js`,
      description: one,
      timeoutMs: 60_000,
    })),
  }
  const tools = {
    begin: 'export default () => ({})',
    slow: 'export default () => ({ slow: 1 })',
    broken: 'export default () => { throw new Error("no paper") }',
    end: 'export default (input) => ({ came: Object.keys(input).sort().join() })',
  }
  return new Map([
    ['agent.json', Buffer.from(JSON.stringify(manifest))],
    ...Object.entries(tools).map(([tool, text]) => [`tools/${tool}.js`, Buffer.from(text)] as [string, Buffer]),
  ])
}

const slow = { id: 'slow', type: 'function', tool: 'slow', outputKeys: ['slow'] }
const ask = (id: string) => ({ id, type: 'approval', title: `${id}?`, message: 'Well?' })
const isSlow = ({ entry }: SandboxRequest) => entry === 'tools/slow.js'
const pending = async (runId: string) =>
  (await place.rowsOf('approvals', runId)).filter(({ status }) => status === 'pending').length
const cameTo = async (runId: string) =>
  (await place.rowsOf('run_memory', runId)).find(({ key }) => key === 'came')?.['value']

t.test('a decision is heard while a tool of another branch is still at work', async (t) => {
  const held = gate()
  await place.work(t, { before: (request) => (isSlow(request) ? held.pass() : undefined), beatMs: 60_000 })
  await place.deploy(acme, 'heard', branching('heard', { nodes: [slow, ask('first')] }))
  const { runId } = await place.begin(acme, 'heard')
  await until('both branches are open', async () => held.came === 1 && (await pending(runId)) === 1)
  await place.arrives(runId, 'running')
  await place.answer(acme, runId, 'approve')
  const decided = async () => (await place.rowsOf('run_steps', runId)).find((step) => step['node_id'] === 'first')
  await until('the branch of the question has gone on', async () => (await decided())?.['status'] === 'completed')
  held.open()
  await place.arrives(runId, 'completed')
  t.equal(await cameTo(runId), 'first,slow')
  const steps = await place.rowsOf('run_steps', runId)
  const shown = async (node: string) => {
    const step = Number(steps.find((one) => one['node_id'] === node)?.['step'])
    const [attempt] = (await getStep(place.as(acme, 'operator', 'runs:read'), runId, step)).items
    return { read: attempt?.inputs.map(({ key }) => key), left: attempt?.outputs.map(({ key, value }) => [key, value]) }
  }
  t.same(await shown('slow'), { read: [], left: [['slow', 1]] }, 'what a branch left is found in its own place')
  t.same(await shown('end'), { read: ['first', 'slow'], left: [['came', 'first,slow']] })
})

t.test('a decision that comes just before the run would wait is not overlooked', async (t) => {
  const held = gate()
  const scheduler = await place.work(t, { before: (request) => (isSlow(request) ? held.pass() : undefined) })
  await place.deploy(acme, 'two', branching('two', { nodes: [slow, ask('first'), ask('second')] }))
  const { runId } = await place.begin(acme, 'two')
  await until('all branches are open', async () => held.came === 1 && (await pending(runId)) === 2)
  await place.answer(acme, runId, 'approve')
  held.open()
  await place.arrives(runId, 'waiting')
  t.equal(await pending(runId), 1)
  await until('it holds no slot while it waits', () => scheduler.held === 0)
  await place.answer(acme, runId, 'approve')
  await place.arrives(runId, 'completed')
  t.equal(await cameTo(runId), 'first,second,slow')
})

t.test('a branch that fails ends the others: the tool is stopped, the question is taken back', async (t) => {
  const never = gate()
  const scheduler = await place.work(t, { before: (request) => (isSlow(request) ? never.pass() : undefined) })
  const broken = { id: 'broken', type: 'function', tool: 'broken', outputKeys: ['broken'] }
  await place.deploy(acme, 'fails', branching('fails', { nodes: [slow, ask('first'), broken] }))
  const { runId } = await place.begin(acme, 'fails')
  t.match((await place.arrives(runId, 'failed'))['error'], { message: /no paper/ })
  await until('the worker has let go although the tool would never end', () => scheduler.held === 0)
  never.open()
  t.same(
    (await place.rowsOf('approvals', runId)).map(({ status }) => status),
    ['withdrawn'],
  )
  const open = (await place.rowsOf('run_steps', runId)).filter(
    ({ status }) => status === 'running' || status === 'waiting',
  )
  t.same(open, [])
})

t.test('with continue_others the rest comes together without it', async (t) => {
  await place.work(t)
  const broken = { id: 'broken', type: 'function', tool: 'broken', outputKeys: ['broken'] }
  const graph = { branchFailurePolicy: 'continue_others' }
  await place.deploy(acme, 'goes-on', branching('goes-on', { nodes: [slow, ask('first'), broken], graph }))
  const { runId } = await place.begin(acme, 'goes-on')
  await place.arrives(runId, 'waiting')
  await place.answer(acme, runId, 'approve')
  await place.arrives(runId, 'completed')
  t.equal(await cameTo(runId), 'first,slow')
})

t.test('a worker that hands over leaves every branch to the next one, and nothing is done twice', async (t) => {
  const held = gate()
  const first = await place.work(t, { before: (request) => (isSlow(request) ? held.pass() : undefined), graceMs: 20 })
  await place.deploy(acme, 'handed', branching('handed', { nodes: [slow, ask('first')] }))
  const { runId } = await place.begin(acme, 'handed')
  await until('both branches are open', async () => held.came === 1 && (await pending(runId)) === 1)
  await first.stop()
  await place.work(t)
  await place.arrives(runId, 'waiting')
  await place.answer(acme, runId, 'approve')
  await place.arrives(runId, 'completed')
  t.equal((await place.rowsOf('approvals', runId)).length, 1)
  const slowSteps = (await place.rowsOf('run_steps', runId)).filter((step) => step['node_id'] === 'slow')
  t.equal(slowSteps.length, 1)
})

t.test('a run that used up its time fails, and says so', async (t) => {
  const never = gate()
  await place.work(t, { before: (request) => (isSlow(request) ? never.pass() : undefined) })
  const graph = { loopConfig: { maxWallTimeMs: 1000 } }
  await place.deploy(acme, 'late', branching('late', { nodes: [slow, ask('first')], graph }))
  const { runId } = await place.begin(acme, 'late')
  t.match((await place.arrives(runId, 'failed'))['error'], { code: 'time_limit' })
  t.ok(Number((await place.rowsOf('runs', runId))[0]?.['worked_ms']) >= 1000)
  t.same(
    (await place.rowsOf('approvals', runId)).map(({ status }) => status),
    ['withdrawn'],
  )
  never.open()
})
