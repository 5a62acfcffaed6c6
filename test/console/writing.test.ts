import t from 'tap'
import { settled, type TextFrame, type Writing, written } from '../../src/console/api/writing.ts'

// What the console shows of text that models are writing.
const frame = (call: string, sequence: number, text: string, nodeId = 'draft'): TextFrame => {
  return { runId: 'r', nodeId, data: { call, sequence, text } }
}
const write = (...frames: TextFrame[]) => frames.reduce(written, [] as readonly Writing[])
const event = (type: string, nodeId: string | null, data = {}) =>
  ({ id: 1, type, runId: 'r', nodeId, data, timestamp: '' }) as const

t.test('pieces become one text for each call, and number 0 begins anew', async (t) => {
  const all = write(frame('1', 0, 'He'), frame('2', 0, 'x'), frame('1', 1, 'llo'), frame('2', 0, 'again'))
  t.same(
    new Map(all.map(({ call, text }) => [call, text])),
    new Map([
      ['r 1', 'Hello'],
      ['r 2', 'again'],
    ]),
  )
})

t.test('a text that never ends stays short', async (t) => {
  const [one] = write(...Array.from({ length: 10 }, (_, n) => frame('1', n, 'x'.repeat(7000))))
  t.equal(one?.text.length, 20_000)
})

t.test('what is complete, or was dropped, is shown no more', async (t) => {
  const all = write(frame('1', 0, 'a'), frame('2', 0, 'b', 'check'))
  const left = (...events: Parameters<typeof settled>[1]) => settled(all, events).map(({ text }) => text)
  t.same(left(event('llm_turn_complete', 'draft', { call: '1' })), ['b'])
  t.same(left(event('node_loop_completed', 'check')), ['a'])
  t.same(left(event('execution_failed', null)), [])
  t.same(left(event('output_key_set', 'draft', { key: 'text' })), ['a', 'b'])
})
