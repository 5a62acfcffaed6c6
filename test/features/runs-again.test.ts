import t from 'tap'
import { getStep, listCheckpoints } from '../../src/features/runs/service.ts'
import { listSessionRuns, runAgain } from '../../src/features/sessions/service.ts'
import { seedTenant } from '../support/database.ts'
import { tinyPackage } from '../support/tiny-package.ts'
import { workplace } from '../support/work.ts'

const place = await workplace(t)
const acme = await seedTenant(place.doors, 'acme')
const beta = await seedTenant(place.doors, 'beta')
const failing = tinyPackage({
  name: 'failing',
  tools: { conclude: 'export default () => { throw new Error("no ink") }' },
})
await place.deploy(acme, 'tiny', tinyPackage())
await place.deploy(acme, 'failing', failing)
await place.deploy(acme, 'half', withStepBehindReview('half'))

type Tenant = typeof acme
const reader = (tenant: Tenant = acme) => place.as(tenant, 'operator', 'runs:read')
const again = (sessionId: string, from?: { runId: string; seq: number }, tenant: Tenant = acme) =>
  runAgain(place.as(tenant, 'operator', 'runs:write'), sessionId, from ? { from } : {})

/** A run of "tiny" that was approved and is done, or that failed behind its approval. */
async function finished(agent: string, status: string) {
  const { sessionId, runId } = await place.begin(acme, agent, { number: 4 })
  await place.arrives(runId, 'waiting')
  await place.answer(acme, runId, 'approve')
  await place.arrives(runId, status)
  const { items } = await listCheckpoints(reader(), runId, 0)
  return { sessionId, runId, items, before: items.find(({ kind }) => kind === 'human_approval')!.seq }
}

t.test('a fork from before an approval asks again, under its own run, and ends as the first', async (t) => {
  await place.work(t)
  const { sessionId, runId, before } = await finished('tiny', 'completed')
  const { run } = await again(sessionId, { runId, seq: before })
  t.same(run.forkedFrom, { runId, seq: before })
  await place.arrives(run.id, 'waiting')
  t.equal((await place.rowsOf('approvals', run.id)).length, 1)
  t.equal((await place.eventsOf(sessionId)).at(-1), 'approval_requested')
  await place.answer(acme, run.id, 'approve')
  await place.arrives(run.id, 'completed')
  const [report] = await place.rowsOf('reports', run.id)
  const [first] = await place.rowsOf('reports', runId)
  t.same(report?.['title'], first?.['title'])
  t.same(
    (await listSessionRuns(reader(), sessionId)).items.map((one) => one.id),
    [run.id, runId],
  )
  t.same(
    (await place.rowsOf('run_steps', run.id)).map((step) => step['status']),
    ['completed', 'completed', 'completed'],
  )
})

t.test('behind a decision whose work was done, there is no way on', async (t) => {
  await place.work(t)
  const { sessionId, runId, before, items } = await finished('tiny', 'completed')
  await t.rejects(again(sessionId, { runId, seq: before + 1 }), { code: 'conflict', message: /Is this right\?/ })
  await t.rejects(again(sessionId, { runId, seq: items.at(-1)!.seq }), { code: 'conflict', message: /had ended/ })
  // A fork of a fork has the same decision in front of it.
  const { run } = await again(sessionId, { runId, seq: before })
  await place.arrives(run.id, 'waiting')
  await place.answer(acme, run.id, 'reject')
  await place.arrives(run.id, 'rejected')
  const third = await again(sessionId, { runId: run.id, seq: before })
  await place.arrives(third.run.id, 'waiting')
})

t.test('a run that failed behind its approval goes on from there without asking again', async (t) => {
  await place.work(t)
  const { sessionId, runId, before } = await finished('failing', 'failed')
  const { run } = await again(sessionId, { runId, seq: before + 1 })
  t.match((await place.arrives(run.id, 'failed'))['error'], { message: /no ink/ })
  t.equal((await place.rowsOf('approvals', run.id)).length, 0)
})

t.test('what a run did behind its approval is not done again because a later step failed', async (t) => {
  await place.work(t)
  const { sessionId, runId, before } = await finished('half', 'failed')
  await t.rejects(again(sessionId, { runId, seq: before + 1 }), { code: 'conflict', message: /Is this right\?/ })
  const { run } = await again(sessionId, { runId, seq: before + 2 })
  t.match((await place.arrives(run.id, 'failed'))['error'], { message: /no ink/ })
  t.same(
    (await place.rowsOf('run_steps', run.id)).map((step) => step['node_id']),
    ['conclude'],
    'from behind what was done it goes on',
  )
})

t.test('a run again from the beginning has the same input', async (t) => {
  await place.work(t)
  const { sessionId, runId } = await finished('tiny', 'completed')
  const { run } = await again(sessionId)
  t.equal(run.forkedFrom, null)
  await t.rejects(again(sessionId), { code: 'conflict', message: /has to end first/ })
  await place.arrives(run.id, 'waiting')
  const read = async (id: string) =>
    (await place.rowsOf('run_memory', id)).filter(({ key }) => key === 'doubled').map(({ value }) => value)
  t.same(await read(run.id), (await read(runId)).slice(0, 1))
})

t.test('two at once: one of them runs', async (t) => {
  await place.work(t)
  const { sessionId } = await finished('tiny', 'completed')
  const both = await Promise.allSettled([again(sessionId), again(sessionId)])
  t.same(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
  t.match(
    both.find(({ status }) => status === 'rejected'),
    { reason: { code: 'conflict' } },
  )
})

t.test('what is not there, is another session’s or another organization’s is not found', async (t) => {
  await place.work(t)
  const { sessionId, runId, before } = await finished('tiny', 'completed')
  const other = await finished('tiny', 'completed')
  const notFound = { code: 'not_found' }
  await t.rejects(again(sessionId, { runId, seq: 99 }), notFound)
  await t.rejects(again(sessionId, { runId: other.runId, seq: before }), notFound)
  await t.rejects(again(sessionId, { runId, seq: before }, beta), notFound)
  await t.rejects(listCheckpoints(reader(beta), runId, 0), notFound)
  await t.rejects(getStep(reader(beta), runId, 1), notFound)
  await t.rejects(listSessionRuns(reader(beta), sessionId), notFound)
  await t.rejects(getStep(reader(), runId, 9), { code: 'not_found' })
})

t.test('a step shows what it read and what it left', async (t) => {
  await place.work(t)
  const { runId } = await finished('tiny', 'completed')
  const values = (list: readonly { key: string; value: unknown }[]) =>
    Object.fromEntries(list.map(({ key, value }) => [key, value]))
  const [double] = (await getStep(reader(), runId, 1)).items
  t.same(values(double!.inputs), { number: 4 })
  t.same(values(double!.outputs), { doubled: 8 })
  const [review] = (await getStep(reader(), runId, 2)).items
  t.match(values(review!.outputs), { review: { decision: 'approve', reason: 'because' } })
})

t.test('a value that is too long to show is named with its size', async (t) => {
  await place.work(t)
  const long = tinyPackage({ name: 'long', tools: { double: 'export default () => ({ doubled: "x".repeat(70000) })' } })
  await place.deploy(acme, 'long', long)
  const { runId } = await place.begin(acme, 'long', { number: 4 })
  await place.arrives(runId, 'waiting')
  const [double] = (await getStep(reader(), runId, 1)).items
  t.same(double!.outputs, [{ key: 'doubled', value: null, bytes: 70_002 }])
})

/** review -> send (done again, it would be sent again) -> conclude, which fails. */
function withStepBehindReview(name: string): Map<string, Buffer> {
  const files = tinyPackage({ name, tools: { conclude: 'export default () => { throw new Error("no ink") }' } })
  const manifest = JSON.parse(String(files.get('agent.json')))
  const { graph } = manifest
  graph.nodes.push({ id: 'send', type: 'function', tool: 'double', inputKeys: ['number'], outputKeys: ['doubled'] })
  graph.edges.find(({ source }: { source: string }) => source === 'review').target = 'send'
  graph.edges.push({ source: 'send', target: 'conclude', condition: 'on_success' })
  return files.set('agent.json', Buffer.from(JSON.stringify(manifest)))
}
