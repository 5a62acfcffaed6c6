import t from 'tap'
import type { ModelResult } from '../../src/engine/machine.ts'
import type { Draft } from './packages.ts'
import { done, set, turn, type World } from './play.ts'
import { busy, eventsOf, outcome, saidTo, talk, turns, unpaired } from './talk.ts'

const echo = (args: unknown): [string, unknown] => ['echo', args]
const end = turn(set('reply', 'so'))
const tools = ({ effects }: ReturnType<typeof talk>) => effects.filter(({ kind }) => kind === 'tool')
const limits = (fields: Draft) => (node: Draft) => Object.assign(node, fields)

t.test('calls in one visit', async (t) => {
  const two = [turn(echo({ n: 1 })), turn(echo({ n: 2 })), end]
  t.equal(outcome(talk(two, {}, limits({ maxToolCalls: 2 }))), 'completed')
  const over = talk([turn(echo({ n: 1 }), echo({ n: 2 })), turn(echo({ n: 3 })), end], {}, limits({ maxToolCalls: 2 }))
  t.match(outcome(over), /tool_call_limit: .*asks for 3 calls in all, and 2 are allowed/)
  t.equal(tools(over).length, 2, 'the one too many is not made')
  const again = talk(busy, {}, limits({ maxToolCalls: 3, maxRetries: 5 }))
  t.match(outcome(again), /tool_call_limit/)
  t.equal(tools(again).length, 3, 'over all attempts')
})

t.test('tokens in one visit', async (t) => {
  // A turn of the tests takes 15.
  const over = talk(busy, {}, limits({ maxTokens: 31 }))
  t.match(outcome(over), /token_limit: .*45 tokens are used, and 31 are allowed/)
  t.equal(turns(over).length, 3)
  t.equal(outcome(talk([turn(echo({})), end], {}, limits({ maxTokens: 16 }))), 'completed', 'done is done')
  t.equal(turns(talk(busy, {}, limits({ maxTokens: 31, maxRetries: 5 }))).length, 3, 'over all attempts')
  const judged = talk([turn(set('reply', 1), set('aside', 1))], {}, limits({ maxTokens: 15, successCriteria: 'Good.' }))
  t.match(outcome(judged), /token_limit/, 'a second opinion takes tokens as well')
})

t.test('the same call again and again', async (t) => {
  const same = turn(echo({ a: 1, b: [2] }))
  const turned = turn(echo({ b: [2], a: 1 }))
  const doomed = talk([same, turned, same, turned])
  t.match(outcome(doomed), /^failed: doom_loop: "answer" failed: the model asks for echo with the same arguments/)
  t.equal(tools(doomed).length, 2)
  t.match(saidTo(doomed, 3)?.at(-2), {
    role: 'tool',
    content: 'error: you have asked for echo with the same arguments 3 times in a row; do something else',
  })
  t.equal(turns(doomed).length, 4, 'told once, then no more')
  t.equal(outcome(talk([same, same, same, end])), 'completed', 'a model that listens goes on')
  const other = turn(echo({ a: 2 }))
  t.equal(outcome(talk([same, same, other, same, same, other, end])), 'completed', 'not in a row')
  const said = [1, 2, 3].map((value) => turn(set('aside', value)))
  const mixed = said.flatMap((one) => [same, one])
  t.match(outcome(talk([...mixed, same])), /doom_loop/, 'outputs are no other call')
  t.match(outcome(talk([same, same, same, other, same, same, same, end])), 'completed', 'and the count begins anew')
})

t.test('the same call many times in one turn', async (t) => {
  const flood = turn(...Array.from({ length: 8 }, () => echo({})))
  const played = talk([flood, end])
  t.equal(outcome(played), 'completed', 'it was not told before')
  t.equal(tools(played).length, 2)
  t.equal(saidTo(played, 1)?.filter(({ content }) => content.startsWith('error: you have asked')).length, 6)
  t.match(outcome(talk([flood, turn(echo({}))])), /doom_loop/)
})

t.test('turns that get nowhere', async (t) => {
  const stuck: [name: string, turns: ModelResult[], count: number][] = [
    ['only words', [turn('Hello!')], 3],
    ['nothing at all', [turn('')], 3],
    ['tools that it has not', [turn(['nope', { n: 1 }]), turn(['nope', { n: 2 }]), turn(['nope', { n: 3 }])], 3],
    ['the same result again', [turn(set('aside', { a: 1 }))], 4],
    ['after a start', [turn(echo({})), turn('Hm.')], 4],
  ]
  for (const [name, answers, count] of stuck) {
    const played = talk(answers)
    t.match(outcome(played), /^failed: stalled: .*got nowhere in 3 turns; not set: reply$/, name)
    t.equal(turns(played).length, count, name)
    t.match(saidTo(played, count - 1)?.at(-1), { role: 'user', content: /You are getting nowhere/ }, name)
  }
  const slow = [turn('Hm.'), turn('Hm.'), turn(set('aside', 1)), turn('Hm.'), turn('Hm.'), end]
  t.equal(outcome(talk(slow)), 'completed', 'something new, and the count begins anew')
  const unseen = talk([turn(set('reply', 1), ['nope', {}])])
  t.match(outcome(unseen), /stalled: .*what it has is not accepted/, 'complete, but it never sees its mistake')
})

t.test('answers of 50 MB are cut, and no checkpoint holds them', async (t) => {
  const size = 50 * 1024 * 1024
  const large: World = { tool: ({ input }) => done(input.n === 1 ? 'x'.repeat(size) : { rows: ['y'.repeat(size)] }) }
  const played = talk([turn(echo({ n: 1 }), echo({ n: 2 })), turn(echo({ n: 1, more: true })), end], large)
  t.equal(outcome(played), 'completed')
  t.match(saidTo(played, 1)?.[1]?.content, new RegExp(`^x+\\n\\[cut: these are the first characters of ${size}\\]$`))
  const sizes = played.transitions.map(({ state }) => JSON.stringify(state).length)
  t.ok(Math.max(...sizes) < 128_000 + 1000, `${Math.max(...sizes)} characters`)
})

t.test('the answers of one turn share half of the conversation, and small ones stay whole', async (t) => {
  const world: World = { tool: ({ input }) => done('z'.repeat(Number(input.n))) }
  const sizes = [3, 30_000, 40_000, 31_000, 500]
  const played = talk([turn(...sizes.map((n) => echo({ n }))), end], world)
  const got = saidTo(played, 1)
    ?.slice(1)
    .map(({ content }) => content.length) as number[]
  t.same([got[0], got[4]], [3, 500])
  t.ok(got.reduce((sum, one) => sum + one) <= 64_000, `${got}`)
  t.ok(Math.min(...got.slice(1, 4)) > 21_000, `${got}`)
})

t.test('hostile turns', async (t) => {
  const deep = JSON.parse(`${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`)
  const long = 'v'.repeat(70_000)
  const wrong: [name: string, ModelResult, answer: RegExp][] = [
    ['no object', turn(['echo', 'x']), /^error: the arguments must be a JSON object$/],
    ['a list', turn(['echo', [1]]), /^error: the arguments must be a JSON object$/],
    ['null', turn(['echo', null]), /^error: the arguments must be a JSON object$/],
    ['nested', turn(['echo', deep]), /^error: the arguments are nested deeper than 100$/],
    ['long', turn(['echo', { long }]), /^error: the arguments have 700\d\d characters; at most 64000$/],
    ['a long result', turn(set('reply', long)), /^error: the arguments have/],
    ['a long name', turn([`x${long}`, {}]), /^error: there is no tool x{1}v{129}$/],
    ['a name of every object', turn(['constructor', {}]), /^error: there is no tool constructor$/],
  ]
  for (const [name, answer, told] of wrong) {
    const played = talk([answer, end], {}, undefined, { keep: (value) => value })
    t.match(saidTo(played, 1)?.[1], { role: 'tool', content: told }, name)
    t.equal(outcome(played), 'completed', name)
    t.ok(JSON.stringify(played.transitions).length < 40_000, name)
  }
  const calls = turn(...Array.from({ length: 10_000 }, (_, n) => echo({ n })))
  const many = talk([calls, end])
  t.equal(tools(many).length, 8)
  t.match(saidTo(many, 1)?.at(-1), { content: 'Only the first 8 of your 10000 calls were made.' })
  const keys = Object.fromEntries(Array.from({ length: 500 }, (_, n) => [`${n}${'k'.repeat(100)}`, n]))
  const [started] = eventsOf(talk([turn(echo(keys)), end]), 'tool_call_started')
  t.ok(JSON.stringify(started).length < 5000, 'an event holds no payload in the names of fields')
  const loud = talk([turn('w'.repeat(50_000_000)), end])
  t.match(saidTo(loud, 1)?.[0]?.content, /^w+\n\[cut: /)
  t.equal(saidTo(loud, 1)?.[0]?.content.length, 32_000)
})

t.test('no cut leaves half a character', async (t) => {
  for (const shift of ['', 'a']) {
    const face = `${shift}${'\u{1f600}'.repeat(40_000)}`
    const played = talk([turn(face, ['nope', {}]), turn(echo({})), end], { tool: () => done(face) })
    t.ok(JSON.stringify(played.transitions).isWellFormed())
    t.notMatch(JSON.stringify(played.transitions), /\\ud8/)
  }
})

t.test('what a tool returns is text, however it is nested', async (t) => {
  let deep: unknown = 1
  for (let depth = 0; depth < 20_000; depth += 1) deep = [deep]
  const played = talk([turn(echo({})), end], { tool: () => done(deep) }, undefined, { keep: (value) => value })
  t.equal(saidTo(played, 1)?.[1]?.content, 'error: the answer is nested deeper than 100')
})

t.test('every conversation of a busy node is one that providers take', async (t) => {
  const played = talk(busy, { tool: () => done('x'.repeat(3000)) }, (node, { graph }) => {
    graph.loopConfig = { maxHistoryTokens: 2000 }
    node.maxIterations = 50
  })
  t.match(outcome(played), /iteration_limit/)
  t.same(
    turns(played).flatMap(({ messages }) => unpaired(messages) ?? []),
    [],
  )
  t.match(eventsOf(played, 'llm_turn_complete')[0], { data: { call: '1.1', purpose: 'turn', text: '', toolCalls: 1 } })
})
