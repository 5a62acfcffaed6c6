import t from 'tap'
import { seedTenant } from '../support/database.ts'
import { tinyPackage } from '../support/tiny-package.ts'
import { workplace } from '../support/work.ts'

// Runs of several organizations share a worker's memory: what one of them remembers is bounded by what it takes up, not
// by how short it can be written. Else it ends the process and every other run in it, again at each takeover.
const place = await workplace(t)
const acme = await seedTenant(place.doors, 'acme')

/**
 * Each of its nodes adds 450,000 empty objects to memory: 3 characters each, and 50 bytes. One after the other, or all
 * but the first side by side.
 */
function hoarder(nodes: number, { atOnce = false } = {}): Map<string, Buffer> {
  const name = `hoarder-${nodes}${atOnce ? '-at-once' : ''}`
  const tiny = JSON.parse(tinyPackage({ name }).get('agent.json')!.toString())
  const ids = Array.from({ length: nodes }, (_, index) => `hoard_${index}`)
  const edges = ids
    .slice(1)
    .map((id, index) => ({ source: ids[atOnce ? 0 : index], target: id, condition: 'on_success' }))
  const manifest = {
    ...tiny,
    input: undefined,
    graph: {
      entryNode: ids[0],
      nodes: ids.map((id) => ({ id, type: 'function', tool: id, outputKeys: [id] })),
      edges,
      terminalNodes: ids.slice(atOnce ? 1 : -1),
    },
    tools: ids.map((id) => ({ name: id, file: `tools/${id}.js`, description: 'hoards', timeoutMs: 20_000 })),
  }
  const list = 'Array.from({ length: 450 }, () => line)'
  const source = (id: string) => `const line = Array(999).fill({})\nexport default () => ({ ${id}: ${list} })`
  return new Map([
    ['agent.json', Buffer.from(JSON.stringify(manifest))],
    ...ids.map((id) => [`tools/${id}.js`, Buffer.from(source(id))] as [string, Buffer]),
  ])
}

t.test('42 a run that remembers millions of nothings ends, and says why', async (t) => {
  await place.work(t)
  await place.deploy(acme, 'hoarder-2', hoarder(2))
  await place.deploy(acme, 'hoarder-5', hoarder(5))
  const [small, large] = [await place.begin(acme, 'hoarder-2'), await place.begin(acme, 'hoarder-5')]
  await place.arrives(small.runId, 'completed')
  t.match((await place.arrives(large.runId, 'failed'))['error'], { code: 'run_too_large' })
})

t.test('42 the same when its tools run side by side', async (t) => {
  await place.work(t)
  await place.deploy(acme, 'hoarder-9-at-once', hoarder(9, { atOnce: true }))
  const { runId } = await place.begin(acme, 'hoarder-9-at-once')
  t.match((await place.arrives(runId, 'failed'))['error'], { code: 'run_too_large' })
})

t.test('55 a question of many megabytes, which the API would have to hold for each reader', async (t) => {
  await place.work(t)
  const double = 'export default () => ({ doubled: "x".repeat(5_000_000) })'
  await place.deploy(acme, 'verbose', tinyPackage({ name: 'verbose', tools: { double } }))
  const { runId, sessionId } = await place.begin(acme, 'verbose', { number: 1 })
  const { error } = await place.arrives(runId, 'failed')
  t.match(error, { code: 'payload_too_large', message: /"review".*4 MB/ })
  t.same(await place.rowsOf('approvals', runId), [])
  t.equal((await place.eventsOf(sessionId)).at(-1), 'execution_failed')
})
