import { randomUUID } from 'node:crypto'
import t from 'tap'
import type { TextDelta } from '../../src/db/notifications.ts'
import { createDeltas } from '../../src/worker/deltas.ts'

const context = () => {
  return { tenant: { tenantId: randomUUID() } as never, sessionId: randomUUID(), runId: randomUUID() }
}
const effect = { nodeId: 'n', call: '1.1' }

t.test('pieces of many runs leave together, in batches that NOTIFY takes, each in its order', async (t) => {
  const batches: TextDelta[][] = []
  const deltas = createDeltas({ send: async (batch) => batches.push([...batch]), everyMs: 1 })
  // The longest that a character can get: six bytes.
  const texts = ['x'.repeat(20_000), '\u0001'.repeat(20_000), '🔑'.repeat(10_000), 'short']
  const sources = texts.map((text) => ({ text, write: deltas.open(context(), effect) }))
  for (const { text, write } of sources) for (let at = 0; at < text.length; at += 97) write(text.slice(at, at + 97))
  await deltas.close()
  for (const batch of batches) t.ok(Buffer.byteLength(JSON.stringify(batch)) <= 7000)
  const all = batches.flat()
  const byRun = Map.groupBy(all, ({ runId }) => runId)
  t.same(
    [...byRun.values()].map((pieces) => pieces.map(({ text }) => text).join('')),
    texts,
  )
  for (const pieces of byRun.values()) {
    t.same(
      pieces.map(({ sequence }) => sequence),
      pieces.map((_, at) => at),
    )
  }
  t.ok(all.every(({ text }) => text.isWellFormed()))
})

t.test('one batch at a time; what is written meanwhile waits, and no more of it than can be followed', async (t) => {
  const first = Promise.withResolvers<void>()
  const sent: string[] = []
  let underWay = 0
  const send = async (batch: readonly TextDelta[]) => {
    underWay += 1
    t.equal(underWay, 1, 'never two')
    sent.push(...batch.map(({ text }) => text))
    await first.promise
    underWay -= 1
  }
  const deltas = createDeltas({ send, everyMs: 1 })
  const write = deltas.open(context(), effect)
  for (let count = 0; count < 400; count += 1) write('x'.repeat(1000))
  first.resolve()
  await deltas.close()
  const characters = sent.join('').length
  t.ok(characters >= 200_000 && characters <= 256 * 1024, `${characters} of 400000`)
})

t.test('a batch that is lost is lost; the next one follows', async (t) => {
  const sent: TextDelta[] = []
  let fails = true
  const deltas = createDeltas({
    send: async (batch) => {
      if (fails) throw new Error('the database is away')
      sent.push(...batch)
    },
    everyMs: 1,
  })
  const write = deltas.open(context(), effect)
  write('lost')
  await deltas.close()
  fails = false
  write('heard')
  await deltas.close()
  t.match(sent, [{ text: 'heard', sequence: 1 }], 'its number tells that something is missing')
})
