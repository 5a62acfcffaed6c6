import t from 'tap'
import type { Message, ToolCall } from '../../src/engine/machine.ts'
import { compact } from '../../src/engine/nodes/compaction.ts'
import { conversationTokens } from '../../src/engine/nodes/text.ts'
import { done, set, turn } from './play.ts'
import { eventsOf, outcome, talk, turns, unpaired } from './talk.ts'

const call = (id: string, name: string, args: unknown): ToolCall => ({ id, name, arguments: args })
const said = (content: string, ...toolCalls: ToolCall[]): Message => ({ role: 'assistant', content, toolCalls })
const answer = (id: string, name: string, content: string): Message => ({ role: 'tool', toolCallId: id, name, content })
const user = (content: string): Message => ({ role: 'user', content })
const filler = (letter: string) => letter.repeat(2000)

const start: Message[] = [
  { role: 'system', content: 'Do it.' },
  user('Inputs, each as JSON:\norder: "A-4711"\ncustomer: "Northwind Traders"'),
]
/** Three turns of no interest, which stay because they are the latest. */
const latest: Message[] = ['x', 'y', 'z'].flatMap((id) => [said('', call(id, 'echo', {})), answer(id, 'echo', id)])

/** What becomes of messages in the middle of a conversation that must be shorter. */
function middle(...messages: Message[]): Message[] {
  const ballast = [said('', call('ballast', 'echo', {})), answer('ballast', 'echo', filler('-').repeat(4))]
  const whole = [...start, ...ballast, ...messages, ...latest]
  const shorter = compact(whole, conversationTokens(whole) - 500)
  if (!shorter) throw new Error('it does not fit')
  return shorter.slice(start.length + ballast.length, -latest.length)
}

t.test('what stays as it is', async (t) => {
  const kept: [name: string, messages: Message[]][] = [
    ['what people say', [said('Which?'), user(filler('u'))]],
    [
      'questions to people',
      [said('', call('1', 'ask_user', { question: filler('q') })), answer('1', 'ask_user', filler('a')), user('Yes.')],
    ],
    ['results', [said('', call('1', 'set_output', { key: 'a', value: filler('v') })), answer('1', 'set_output', 'ok')]],
    ['short answers', [said('Hm.', call('1', 'echo', { n: 1 })), answer('1', 'echo', 'nothing')]],
    [
      'an answer whose id is used later',
      [
        said('', call('1', 'find', {})),
        answer('1', 'find', `${filler('f')} ticket 10-777`),
        said('', call('2', 'echo', { ticket: '10-777' })),
        answer('2', 'echo', 'ok'),
      ],
    ],
    [
      'an answer whose number is used in a result',
      [
        said('', call('1', 'find', {})),
        answer('1', 'find', JSON.stringify({ total: 1234.5, more: filler('f') })),
        said('', call('2', 'set_output', { key: 'a', value: { sum: 1234.5 } })),
        answer('2', 'set_output', 'ok'),
      ],
    ],
    [
      'an answer whose text is used inside a sentence of JSON',
      [
        said('', call('1', 'find', {})),
        answer('1', 'find', JSON.stringify([{ name: 'Ada Lovelace' }, filler('f')])),
        said('', call('2', 'echo', { people: [{ name: 'Ada Lovelace' }] })),
        answer('2', 'echo', 'ok'),
      ],
    ],
  ]
  for (const [name, messages] of kept) t.same(middle(...messages), messages, name)
})

t.test('what becomes short', async (t) => {
  const stub = (name: string, length: number) => `[removed: ${length} characters; call ${name} again if you need them]`
  const two = (content: string, args: unknown): Message[] => [
    said('', call('1', 'find', {})),
    answer('1', 'find', content),
    said('', call('2', 'echo', args)),
    answer('2', 'echo', 'ok'),
  ]
  const unused: [name: string, content: string, args: unknown][] = [
    ['an answer of which nothing is used', `${filler('f')} 10-777`, { ticket: '10-778' }],
    ['a value that the inputs hold', JSON.stringify(['A-4711', filler('f')]), { order: 'A-4711' }],
    ['a text that the inputs hold', JSON.stringify(['Northwind Traders', filler('f')]), { who: 'Northwind Traders' }],
    ['a word that anything holds', JSON.stringify(['open', filler('f')]), { status: 'open' }],
    ['too small a number', JSON.stringify([12, filler('f')]), { n: 12 }],
    ['the name of a field', JSON.stringify({ quantity1: filler('f') }), {}],
  ]
  for (const [name, content, args] of unused) {
    t.equal(middle(...two(content, args))[1]?.content, stub('find', content.length), name)
  }
  const [, first, , second] = middle(
    said('', call('1', 'find', {})),
    answer('1', 'find', `${filler('f')} 10-777`),
    said('', call('2', 'find', { ticket: '10-777' })),
    answer('2', 'find', `${filler('g')} 10-777`),
    said('', call('3', 'echo', { ticket: '10-777' })),
    answer('3', 'echo', 'ok'),
  )
  t.match(first?.content, /10-777$/, 'the first to hold it stays')
  t.equal(second?.content, stub('find', 2007), 'one that repeats it does not')
  t.same(middle(said(filler('t'), call('1', 'echo', { text: filler('t') })), answer('1', 'echo', 'ok')), [
    said(`${'t'.repeat(200)}…`, call('1', 'echo', { removed: '2011 characters' })),
    answer('1', 'echo', 'ok'),
  ])
})

t.test('the latest three turns stay, fewer when they are too long', async (t) => {
  const big = ['1', '2', '3', '4'].flatMap((id) => [said('', call(id, 'echo', {})), answer(id, 'echo', filler(id))])
  const lengths = (most: number) => {
    const shorter = compact([...start, ...big], most)
    return shorter?.filter(({ role }) => role === 'tool').map(({ content }) => content.length > 1000)
  }
  t.same(lengths(2900), [false, true, true, true])
  t.same(lengths(2200), [false, false, true, true])
  t.same(lengths(1200), [false, false, false, true])
  t.equal(lengths(300), undefined, 'the last turn stays, and if that is too much it does not fit')
})

t.test('doing it again changes nothing', async (t) => {
  const whole = [
    ...start,
    said(filler('t'), call('1', 'echo', { a: filler('a') })),
    answer('1', 'echo', filler('r')),
    ...latest,
  ]
  const once = compact(whole, 700)
  t.same(compact(once ?? [], 700), once)
  t.same(compact(structuredClone(whole), 700), once)
  const used = [
    ...[...start, said(filler('t')), said('', call('1', 'find', {})), answer('1', 'find', `${filler('r')} 10-777`)],
    ...[said('', call('2', 'echo', { ticket: '10-777', note: filler('n') })), answer('2', 'echo', 'ok'), ...latest],
  ]
  const first = compact(used, 1300)
  t.match(first?.[4]?.content, /10-777$/)
  t.same(
    compact([...(first ?? []), said(filler('u'), call('4', 'echo', {})), answer('4', 'echo', '')], 1700)?.[4],
    first?.[4],
  )
})

t.test('50 turns of long answers fit into a short conversation', async (t) => {
  const busy = Array.from({ length: 49 }, (_, n) => turn('Thinking.', ['echo', { n, note: filler('n').slice(0, 300) }]))
  const played = talk([...busy, turn(set('reply', 'so'))], { tool: () => done(filler('x')) }, (node, { graph }) => {
    graph.loopConfig = { maxHistoryTokens: 8000 }
    node.maxIterations = 50
  })
  t.equal(outcome(played), 'completed')
  for (const { messages } of turns(played)) {
    t.ok(conversationTokens(messages) <= 8000)
    t.equal(unpaired(messages), undefined)
  }
  const compacted = eventsOf(played, 'context_compacted')
  t.ok(compacted.length > 0 && compacted.length < 25, `${compacted.length} times, not every turn`)
  for (const { data } of compacted) t.ok(Number(data.before) > 8000 && Number(data.after) <= 8000, JSON.stringify(data))
})

t.test('when even that does not fit', async (t) => {
  const results = Array.from({ length: 9 }, (_, n) => turn(set('aside', `${n}${filler('v').slice(0, 1500)}`)))
  const played = talk(results, {}, (_node, { graph }) => {
    graph.loopConfig = { maxHistoryTokens: 1000 }
  })
  t.match(outcome(played), /^failed: history_limit: .*about \d+ tokens, more than 1000/)
})

t.test('hostile conversations take no long time', async (t) => {
  const worst = [
    'a'.repeat(400_000),
    'a1 '.repeat(130_000),
    '"\\'.repeat(200_000),
    `${'['.repeat(200_000)}`,
    '1'.repeat(400_000),
  ]
  for (const content of worst) {
    const messages = [...start, said('', call('1', 'echo', {})), answer('1', 'echo', content), ...latest]
    t.ok(compact(messages, 50_000))
  }
})
