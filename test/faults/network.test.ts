import t, { type Test } from 'tap'
import { seedTenant } from '../support/database.ts'
import { type Side, startProxy } from '../support/proxy.ts'
import { tinyPackage } from '../support/tiny-package.ts'
import { until } from '../support/until.ts'
import { workplace } from '../support/work.ts'

// The network between a worker and the database, cut at every point of a run's life: in front of everything that the
// worker sends, so that it never arrives, and behind it, so that it arrives and the worker never knows. What is left must
// be the same as without a cut.

const place = await workplace(t)
const acme = await seedTenant(place.doors, 'acme')
await place.deploy(acme, 'tiny', tinyPackage())
const times = { pollMs: 20, beatMs: 30, silentMs: 150 }

/** What a run leaves behind, whatever happened on its way. */
async function traceOf({ runId, sessionId }: { runId: string; sessionId: string }) {
  const { rows: steps } = await place.admin.query(
    'select step, node_id, attempt, status from run_steps where run_id = $1 order by step, attempt',
    [runId],
  )
  const { rows: memory } = await place.admin.query(
    `select key, seq, value::text from run_memory where run_id = $1 and key <> 'review' order by seq, key`,
    [runId],
  )
  return {
    steps,
    memory,
    checkpoints: (await place.rowsOf('checkpoints', runId)).length,
    approvals: (await place.rowsOf('approvals', runId)).map((row) => row['status']),
    reports: (await place.rowsOf('reports', runId)).length,
    events: await place.eventsOf(sessionId),
  }
}

async function live(meanwhile: () => void = () => undefined) {
  const begun = await place.begin(acme, 'tiny', { number: 21 })
  meanwhile()
  await place.arrives(begun.runId, 'waiting')
  await place.answer(acme, begun.runId, 'approve')
  await place.arrives(begun.runId, 'completed')
  return await traceOf(begun)
}

async function cutEverywhere(t: Test, side: Side): Promise<void> {
  const expected = await undisturbed
  const proxy = await startProxy(t, place.workerUrl)
  await place.work(t, { ...times, connection: { url: proxy.url } })
  let cuts = 0
  for (let piece = 1; ; piece += 1) {
    const trace = await live(() => proxy.cutAt(piece, side))
    if (JSON.stringify(trace) !== JSON.stringify(expected)) t.same(trace, expected, `cut ${side} piece ${piece}`)
    cuts += 1
    if (proxy.sent < piece) break
  }
  t.ok(cuts > 20, `${cuts} cuts ${side} what was sent`)
}

const undisturbed = (async () => {
  const alone: (() => unknown)[] = []
  await place.work({ teardown: (stop) => void alone.push(stop as () => unknown) }, times)
  const trace = await live()
  for (const stop of alone.reverse()) await stop()
  return trace
})()

t.test('cut in front of whatever is sent', (t) => cutEverywhere(t, 'before'))
t.test('cut behind whatever is sent', (t) => cutEverywhere(t, 'after'))

t.test(
  'a network that falls silent: another worker takes over, and the first one gives up what it cannot reach',
  async (t) => {
    const expected = await undisturbed
    const proxy = await startProxy(t, place.workerUrl)
    const first = await place.work(t, {
      ...times,
      connection: { url: proxy.url, answerMs: 500 },
      before: async () => proxy.silence(),
    })
    const begun = await place.begin(acme, 'tiny', { number: 21 })
    await until('the network is silent', async () => (await place.rowsOf('checkpoints', begun.runId)).length > 0)
    await place.work(t, times)
    await place.arrives(begun.runId, 'waiting')
    await until('the first worker lets go', () => first.held === 0)
    proxy.speak()
    await place.answer(acme, begun.runId, 'approve')
    await place.arrives(begun.runId, 'completed')
    t.same(await traceOf(begun), expected)
  },
)
