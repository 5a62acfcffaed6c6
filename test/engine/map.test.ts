import t from 'tap'
import { next, startState } from '../../src/engine/machine.ts'
import { draftOf, eventsOf, graphOf, memoryOf, outcome, world } from './graphs.ts'
import { broken as wrong } from './invariants.ts'
import { type Draft, packageOf } from './packages.ts'
import { broken, done, type PlayOptions, play, set, turn, type World } from './play.ts'

const map = { type: 'map', over: 'rows', itemKey: 'row', each: 'one', outputKeys: ['results'] }
const one = { inputKeys: ['row', 'x'], outputKeys: ['twice'] }
const rows = [1, 2, 3, 4, 5]
const twice: World = {
  tool: ({ nodeId, input }) => done(nodeId === 'one' ? { twice: Number(input.row) * 2 } : { [nodeId]: nodeId }),
}

function run(change: Draft = {}, by: World = twice, options: PlayOptions = {}, nodes: Draft = {}) {
  const pkg = graphOf(['all > z'], { all: { ...map, ...change }, one, z: { inputKeys: ['results'] }, ...nodes })
  const played = play(pkg, by, { input: { x: 9, rows }, ...options })
  t.equal(wrong(pkg, played), undefined)
  return played
}

t.test('every item, some at a time, the results in the order of the list', async (t) => {
  const last = (open: readonly unknown[]) => open.length - 1
  for (const pick of [() => 0, last]) {
    const played = run({ concurrency: 2 }, twice, { pick })
    t.equal(outcome(played), 'completed')
    t.same(
      played.memory.results,
      rows.map((row) => ({ twice: row * 2 })),
    )
    t.match(played.effects[0], { nodeId: 'one', input: { row: 1, x: 9 } })
    const most = Math.max(...played.transitions.map(({ state }) => state.activations.length))
    t.equal(most, 3, 'the map and two items')
    t.same(played.last.state.visits, { all: 1, z: 1 }, 'items are no visits')
    t.same(Object.keys(memoryOf(played)).sort(), ['results', 'rows', 'x', 'z'], 'what items write is not memory')
  }
})

t.test('what it goes over', async (t) => {
  t.same(run({}, twice, { input: { rows: [] } }).memory.results, [], 'nothing')
  t.equal(outcome(run({}, twice, { input: { rows: 'many' } })), 'failed: input_invalid')
  t.equal(outcome(run({}, twice, { input: {} })), 'failed: input_invalid')
  t.equal(outcome(run({ maxItems: 4 })), 'failed: too_many_items')
  const draft = draftOf(['a > all', 'all > z'], { all: map, one })
  draft.graph.edges[0].inputMapping = { rows: 'a' }
  const mapped = play(packageOf(draft), { tool: ({ nodeId }) => done({ a: [7], twice: 1, z: nodeId }) }, { input: {} })
  t.same(mapped.memory.results, [{ twice: 1 }], 'an edge may name another list')
})

t.test('an item that fails', async (t) => {
  const failing: World = { tool: (effect) => (effect.input.row === 3 ? broken('no three') : twice.tool!(effect)) }
  const failed = run({}, failing)
  t.equal(failed.last.error?.message, '"all" failed: item 2: no three')
  const goes = run({ onItemFailure: 'continue' }, failing)
  t.same(goes.memory.results, [{ twice: 2 }, { twice: 4 }, null, { twice: 8 }, { twice: 10 }])
  t.match(eventsOf(goes, 'map_item_failed'), [{ item: 2, error: { code: 'tool_threw' } }])
  const all = run({ onItemFailure: 'continue' }, { tool: () => broken() })
  t.equal(all.last.error?.message, '"all" failed: every item failed, the first: it broke')
  const again = run({}, failing, {}, { one: { ...one, maxRetries: 2 } })
  t.equal(
    again.effects.filter((effect) => effect.kind === 'tool' && effect.input.row === 3).length,
    3,
    'retries come first',
  )
  const whole = run({ maxRetries: 1 }, failing)
  t.equal(
    whole.transitions
      .flatMap(({ steps }) => steps)
      .filter(({ nodeId, status }) => nodeId === 'all' && status === 'failed').length,
    2,
  )
})

t.test('items that fail before they call anything do not stop a map', async (t) => {
  const draft = draftOf(['all > z'], { all: { ...map, concurrency: 1, onItemFailure: 'continue' }, one })
  draft.tools[0].inputSchema = { type: 'object', properties: { row: { type: 'integer' } } }
  const list = [...Array.from({ length: 60 }, () => 'x'), 1]
  const played = play(packageOf(draft), { tool: () => done({ twice: 1, z: 1 }) }, { input: { rows: list } })
  t.equal(outcome(played), 'completed')
  t.same(played.memory.results, [...Array.from({ length: 60 }, () => null), { twice: 1 }])
})

t.test('models and people for each item', async (t) => {
  const model = { type: 'event_loop', systemPrompt: 'Double it.', inputKeys: ['row'], outputKeys: ['twice'] }
  const counted = run({}, { model: ({ messages }) => turn(set('twice', messages[1]?.content)) }, {}, { one: model })
  t.match(counted.memory.results, [{ twice: /row: 1/ }, {}, {}, {}, { twice: /row: 5/ }])
  const ask = { type: 'approval', title: '?', message: '{{row}}', evidence: ['row'], inputKeys: ['row'] }
  const asked = run(
    {},
    { decide: ({ evidence }) => ({ decision: evidence[0]?.value === 3 ? 'reject' : 'approve' }) },
    {},
    { one: ask },
  )
  t.equal(outcome(asked), 'rejected', 'a no to one is a no')
  const goes = run(
    { onItemFailure: 'continue' },
    { decide: ({ message }) => ({ decision: message === '3' ? 'reject' : 'approve' }) },
    {},
    { one: ask },
  )
  t.match(goes.memory.results, [{ one: { decision: 'approve' } }, {}, null, {}, {}])
  t.notOk('one' in goes.memory, 'the decision about an item is no key of memory')
})

t.test('a map in a branch, and a branch that is dropped with its items', async (t) => {
  const edges = ['a > all', 'a > b', 'all > z', 'b > z']
  const pkg = graphOf(edges, { all: map, one })
  const played = play(pkg, twice, { input: { x: 1, rows } })
  t.equal(wrong(pkg, played), undefined)
  t.same((played.memory.results as unknown[]).length, 5)
  const dropped = play(pkg, world({ b: broken() }), {
    input: { rows },
    pick: (open) => open.findIndex(({ nodeId }) => ['a', 'b'].includes(nodeId)),
  })
  t.equal(wrong(pkg, dropped), undefined)
  t.equal(outcome(dropped), 'failed: tool_threw')
})

t.test('the state stays small, however large the items are', async (t) => {
  const large = Array.from({ length: 1000 }, (_, index) => ({ index, text: 'x'.repeat(1000) }))
  const pkg = graphOf(['all > z'], { all: { ...map, maxItems: 1000, concurrency: 16 }, one })
  const by: World = { tool: ({ input }) => done({ twice: { ...(input.row as object), more: 'y'.repeat(1000) }, z: 1 }) }
  const played = play(pkg, by, { input: { rows: large }, keep: (value) => value })
  t.equal(outcome(played), 'completed')
  t.equal((played.memory.results as unknown[]).length, 1000)
  const sizes = played.transitions.map(({ state }) => JSON.stringify(state).length)
  t.ok(Math.max(...sizes) < 8000, `at most ${Math.max(...sizes)} characters`)
})

t.test('a run works on at most 10,000 nodes, items included', async (t) => {
  const pkg = graphOf(['all > z'], { all: { ...map, concurrency: 2 }, one })
  const start = next(pkg, startState(), {}, { kind: 'start', input: { rows } })
  const late = { ...start.state, steps: 9999 }
  const item = { kind: 'tool_result', call: '2.1', result: done({ twice: 1 }) } as const
  const last = next(pkg, late, start.writes, item)
  t.match(last, { status: 'running', state: { steps: 10_000 } })
  const over = next(pkg, last.state, { ...start.writes, ...last.writes }, { ...item, call: '3.1' })
  t.match(over, { status: 'failed', error: { code: 'step_limit', message: /10000 times/ } })
})
