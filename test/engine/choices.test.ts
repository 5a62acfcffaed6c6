import t from 'tap'
import type { Effect, ModelResult } from '../../src/engine/machine.ts'
import { eventsOf, graphOf, outcome, world } from './graphs.ts'
import { broken as wrong } from './invariants.ts'
import { broken, done, play, turn, visited, type World } from './play.ts'

type ModelEffect = Extract<Effect, { kind: 'model' }>

const answers = (object: unknown): World => world({}, { model: () => ({ ...turn(''), object }) as ModelResult })
const asked = (effects: readonly Effect[]) => effects.filter((effect): effect is ModelEffect => effect.kind === 'model')

function run(parts: Parameters<typeof graphOf>, by: World = world()) {
  const pkg = graphOf(...parts)
  const played = play(pkg, by, { input: { x: 1 } })
  t.equal(wrong(pkg, played), undefined)
  return played
}

t.test('priorities: all edges of the highest one that may be taken', async (t) => {
  const ways = (x: number) => {
    const pkg = graphOf(['a > b x == 1', 'a > c x >= 1', 'a > d always', 'b > e', 'c > e', 'd > e'])
    Object.assign(pkg.manifest.graph.edges[2]!, { priority: -1 })
    return visited(play(pkg, world(), { input: { x } })).join(' ')
  }
  t.equal(ways(1), 'a b c e')
  t.equal(ways(2), 'a c e')
  t.equal(ways(0), 'a d e')
})

t.test('llm_decide: a model names edges, none or several', async (t) => {
  const edges = ['a > b llm_decide', 'a > c llm_decide', 'a > d', 'b > e', 'c > e', 'd > e']
  const ways = (object: unknown) => visited(run([edges], answers(object))).join(' ')
  t.equal(ways({ edges: ['c', 'b'] }), 'a b c d e', 'beside those that are taken in any case')
  t.equal(ways({ edges: ['c'] }), 'a c d e')
  t.equal(ways({ edges: [] }), 'a d e')
  const [effect] = asked(run([edges], answers({ edges: ['b'] })).effects)
  t.match(effect, {
    purpose: 'choose',
    nodeId: 'a',
    call: '1.2',
    model: 'default',
    tools: [],
    output: { required: ['edges'] },
  })
  t.match(effect?.messages, [
    { role: 'system', content: /- b: When it fits\.\n- c: / },
    { role: 'user', content: /a: "a"/ },
  ])
  t.notMatch(effect?.messages[0]?.content, '- d', 'it is not asked about what it cannot decide')
  const chosen = run([edges], answers({ edges: ['b'] }))
  t.match(eventsOf(chosen, 'edges_chosen'), [{ step: 1, call: '1.2', edges: ['b'] }])
  t.match(eventsOf(chosen, 'llm_turn_complete'), [{ purpose: 'choose', inputTokens: 10 }])
})

t.test('llm_decide: no edge, then those of less priority', async (t) => {
  const pkg = graphOf(['a > b llm_decide', 'a > c'])
  Object.assign(pkg.manifest.graph.edges[0]!, { priority: 1 })
  t.same(visited(play(pkg, answers({ edges: [] }))), ['a', 'c'])
  t.equal(outcome(run([['a > b llm_decide']], answers({ edges: [] }))), 'failed: no_edge')
})

t.test('a model that fails or names nonsense makes the node a failure, that an edge may take', async (t) => {
  const failing = world({}, { model: () => ({ ok: false, error: { code: 'model_timeout', message: 'too slow' } }) })
  const edges = ['a > b llm_decide', 'a > c llm_decide']
  const timeout = run([edges], failing)
  t.equal(timeout.last.error?.message, '"a" failed: no edge was chosen: too slow')
  t.equal(outcome(timeout), 'failed: model_timeout')
  t.match(timeout.last.steps, [{ nodeId: 'a', status: 'failed', error: { code: 'model_timeout' } }])
  t.same(visited(run([[...edges, 'a > d on_failure']], failing)), ['a', 'd'])
  for (const object of [
    undefined,
    null,
    'b',
    {},
    { edges: 'b' },
    { edges: ['nowhere'] },
    { edges: [{}] },
    { edges: ['b', null] },
  ]) {
    t.equal(outcome(run([edges], answers(object))), 'failed: choice_invalid', JSON.stringify(object))
  }
})

t.test('a model never overrules a failure or a rejection', async (t) => {
  const ask = { type: 'approval', title: '?', message: '?' }
  const no = world(
    { b: broken() },
    {
      decide: () => ({ decision: 'reject' }),
      model: () => {
        throw new Error('it was asked')
      },
    },
  )
  t.equal(outcome(run([['a > b llm_decide'], { a: ask }], no)), 'rejected')
  t.equal(outcome(run([['b > c llm_decide']], no)), 'failed: tool_threw')
})

t.test('a router takes one edge, by conditions in their order', async (t) => {
  const router = { type: 'router' }
  const edges = ['r > b x == 2', 'r > c x >= 1', 'r > d x >= 1']
  t.same(visited(run([edges, { r: router }])), ['r', 'c'])
  t.equal(outcome(run([['r > b x == 2'], { r: router }])), 'failed: no_edge')
  t.equal(run([edges, { r: router }]).effects.length, 1, 'it calls nothing')
})

t.test('a router asks a model when it has a prompt, about the edges that are open', async (t) => {
  const router = { type: 'router', prompt: 'Where does it belong?', inputKeys: ['x'], model: 'routing' }
  const edges = ['a > r', 'r > b llm_decide', 'r > c', 'r > d x == 2', 'r > e on_failure']
  const chosen = run([edges, { r: router }], answers({ edge: 'c' }))
  t.same(visited(chosen), ['a', 'r', 'c'])
  const [effect] = asked(chosen.effects)
  t.match(effect, { model: 'routing', output: { properties: { edge: { enum: ['b', 'c'] } } } })
  t.match(effect?.messages, [{ content: /Where does it belong\?/ }, { content: /x: 1/ }])
  t.same(
    visited(run([edges, { r: router }], answers({ edge: 'd' }))),
    ['a', 'r', 'e'],
    'a failure, which an edge takes',
  )
  t.equal(
    asked(run([['r > b', 'r > c x == 2'], { r: router }], answers(null)).effects).length,
    0,
    'one way needs no model',
  )
})

t.test('values that a model is shown are cut', async (t) => {
  const long = 'y'.repeat(100_000)
  const played = run([['a > b llm_decide'], { a: { outputKeys: ['a', 'k'] } }], {
    tool: () => done({ a: long, k: long, b: 1 }),
    model: () => ({ ...turn(''), object: { edges: ['b'] } }) as ModelResult,
  })
  t.ok((asked(played.effects)[0]?.messages[1]?.content.length ?? 0) < 9000)
})
