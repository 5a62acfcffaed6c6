import t from 'tap'
import { next, pendingEffects, startState } from '../../src/engine/machine.ts'
import { eventsOf, graphOf, inOrder, memoryOf, outcome, world } from './graphs.ts'
import { broken as wrong } from './invariants.ts'
import { packageOf, smallest } from './packages.ts'
import { broken, done, type PlayOptions, play, throughJson, visited, type World } from './play.ts'

const diamond = ['a > b', 'a > c', 'b > d', 'c > d']

function run(parts: Parameters<typeof graphOf>, by: World = world(), options: PlayOptions = {}) {
  const pkg = graphOf(...parts)
  const played = play(pkg, by, { input: { x: 1 }, ...options })
  t.equal(wrong(pkg, played), undefined)
  return played
}

t.test('two branches side by side, and one join', async (t) => {
  for (const order of [
    ['b', 'c'],
    ['c', 'b'],
  ]) {
    const played = run([diamond], world(), { pick: inOrder(...order) })
    t.equal(outcome(played), 'completed')
    t.same(visited(played), ['a', 'b', 'c', 'd'])
    t.same(memoryOf(played), { x: 1, a: 'a', b: 'b', c: 'c', d: 'd' })
    t.same(eventsOf(played, 'branches_started'), [{ step: 1, branches: ['b', 'c'], join: 'd' }])
    const branches = ['b', 'c'].map((nodeId) => ({ nodeId, status: 'arrived' }))
    t.same(eventsOf(played, 'branches_joined'), [{ step: 1, at: 'd', branches, conflicts: [] }])
    t.match(eventsOf(played, 'node_loop_started'), [{}, { fork: 1, branch: 0 }, { fork: 1, branch: 1 }, {}])
  }
})

t.test('where branches come together', async (t) => {
  const cases: [name: string, edges: string[], visits: string, by?: World][] = [
    ['of different lengths', ['a > b', 'a > d', 'b > c', 'c > d', 'd > e'], 'a b c d e'],
    ['three', ['a > b', 'a > c', 'a > d', 'b > e', 'c > e', 'd > e'], 'a b c d e'],
    ['a terminal node', ['a > b', 'a > c', 'b > d', 'c > d'], 'a b c d'],
    ['never', ['a > b', 'a > c', 'b > d', 'c > e'], 'a b c d e'],
    ['one ends early', ['a > b', 'a > c', 'b > e x == 1', 'b > d x == 2', 'c > d', 'd > f'], 'a b c e d f'],
    [
      'one ends early, by a failure',
      ['a > b', 'a > c', 'b > d', 'b > e on_failure', 'c > d', 'd > f'],
      'a b c e d f',
      world({ b: broken() }),
    ],
    [
      'both fail to the same end',
      ['a > b', 'a > c', 'b > d', 'b > e on_failure', 'c > d', 'c > e on_failure'],
      'a b c e e',
      world({ b: broken(), c: broken() }),
    ],
    ['one might end early', ['a > b', 'a > c', 'b > e x == 2', 'b > d x == 1', 'c > d', 'd > f'], 'a b c d f'],
    [
      'both might fail',
      ['a > b', 'a > c', 'b > d', 'c > d', 'b > e on_failure', 'c > e on_failure', 'd > f'],
      'a b c d f',
    ],
    ['nested', ['a > b', 'a > c', 'b > d', 'b > e', 'd > f', 'e > f', 'f > g', 'c > g'], 'a b c d e f g'],
    ['nested with one join', ['a > b', 'a > c', 'b > d', 'b > e', 'd > f', 'e > f', 'c > f'], 'a b c d e f'],
    [
      'past the inner join',
      ['a > b', 'a > c', 'b > d', 'b > e', 'd > f', 'e > f', 'e > g on_failure', 'f > g', 'c > g'],
      'a b c d e f g',
      world({ e: broken() }),
    ],
    ['only one way is open', ['a > b x == 1', 'a > c x == 2', 'b > d', 'c > d'], 'a b d'],
  ]
  for (const [name, edges, visits, by] of cases) t.equal(visited(run([edges], by)).join(' '), visits, name)
})

t.test('a loop through a fork, and a fork in a loop', async (t) => {
  const again = ['a > b', 'a > c', 'b > d', 'c > d', 'd > a visits.d < 3', 'd > e visits.d >= 3']
  const played = run([again, { a: { maxVisits: 3 } }])
  t.equal(visited(played).join(' '), 'a b c d a b c d a b c d e')
  const inside = ['a > b', 'a > c', 'b > b visits.b < 3', 'b > d visits.b >= 3', 'c > d']
  t.equal(visited(run([inside, { b: { maxVisits: 3 } }])).join(' '), 'a b c b b d')
  const before = ['s > a', 'a > b', 'a > c', 'b > s visits.s < 3', 'b > d visits.s >= 3', 'c > d']
  const back = run([before, { s: { maxVisits: 3 } }])
  t.equal(outcome(back), 'completed')
  t.equal(
    back.transitions.reduce((most, { state }) => Math.max(most, state.forks.length), 0),
    3,
    'a fork in a fork in a fork',
  )
  t.equal(visited(back).filter((id) => id === 'd').length, 1)
})

t.test('a branch sees what it wrote, not what others write', async (t) => {
  const seen = { tool: 'echo', inputKeys: ['k'] }
  const nodes = { b: { outputKeys: ['k'] }, c: { outputKeys: ['k'] }, e: seen, f: seen, d: { inputKeys: ['k'] } }
  const edges = ['a > b', 'a > c', 'b > e', 'c > f', 'e > d', 'f > d']
  for (const [policy, value, order] of [
    ['last', 'c', ['b', 'e', 'c', 'f']],
    ['last', 'c', ['c', 'f', 'b', 'e']],
    ['first', 'b', ['b', 'c']],
    ['first', 'b', ['c', 'f', 'b', 'e']],
  ] as const) {
    const by = world({ b: done({ k: 'b' }), c: done({ k: 'c' }) })
    const played = run([edges, nodes, { conflictPolicy: policy }], by, { pick: inOrder(...order) })
    const inputs = new Map(
      played.effects.map((effect) => [effect.nodeId, effect.kind === 'tool' ? effect.input : null]),
    )
    t.same(
      [inputs.get('e'), inputs.get('f'), inputs.get('d')],
      [{ k: 'b' }, { k: 'c' }, { k: value }],
      `${policy} ${order}`,
    )
    t.same(eventsOf(played, 'branches_joined')[0]?.conflicts, ['k'])
  }
  const conflict = run([edges, nodes, { conflictPolicy: 'error' }], world({ b: done({ k: 'b' }), c: done({ k: 'c' }) }))
  t.equal(conflict.last.error?.message, 'several branches after "a" wrote k')
  t.equal(outcome(conflict), 'failed: write_conflict')
  t.notOk(visited(conflict).includes('d'))
})

t.test('fail_all: one failure ends the others', async (t) => {
  const nodes = { c: { type: 'approval', title: '?', message: '?' } }
  const edges = ['a > b', 'a > c', 'b > d', 'c > d']
  const pkg = graphOf(edges, nodes)
  const played = play(pkg, world({ b: broken() }), { pick: inOrder('b') })
  t.equal(wrong(pkg, played), undefined)
  t.equal(outcome(played), 'failed: tool_threw')
  t.equal(played.last.error?.message, '"b" failed: it broke')
  t.match(eventsOf(played, 'branch_failed'), [{ step: 1, branch: 0, branchNode: 'b', status: 'failed' }])
  t.match(played.last.steps, [
    { nodeId: 'b', status: 'failed' },
    { nodeId: 'c', status: 'failed', error: { code: 'abandoned' } },
  ])
  const [{ state }] = played.transitions.slice(-1) as [(typeof played.transitions)[number]]
  const late = {
    kind: 'decision',
    approval: '3.1',
    decision: 'approve',
    reason: '',
    decidedBy: 'u',
    decidedAt: '',
  } as const
  t.equal(next(pkg, state, played.memory, late).state, state, 'an answer that comes too late changes nothing')
})

t.test('continue_others: the rest arrives', async (t) => {
  const keys = { d: { inputKeys: ['b', 'c'] }, b: { outputKeys: ['b'], maxRetries: 1 } }
  const policy = { branchFailurePolicy: 'continue_others' }
  const one = run([diamond, keys, policy], world({ b: broken() }))
  t.equal(outcome(one), 'completed')
  t.same(visited(one), ['a', 'b', 'c', 'b', 'd'], 'retries come first')
  t.match(one.effects.at(-1), { nodeId: 'd', input: { c: 'c' } })
  t.match(eventsOf(one, 'branches_joined'), [{ at: 'd', branches: [{ status: 'failed' }, { status: 'arrived' }] }])
  const all = run([diamond, keys, policy], world({ b: broken('b broke'), c: broken('c broke') }), {
    pick: inOrder('c'),
  })
  t.equal(all.last.error?.message, '"b" failed: b broke', 'all failed: the first edge says why')
  t.equal(eventsOf(all, 'branch_failed').length, 2)
})

t.test('what a branch wrote that failed counts only where no other wrote it', async (t) => {
  const edges = ['a > b', 'a > c', 'b > d', 'c > e', 'e > d']
  const nodes = { b: { outputKeys: ['k'] }, c: { outputKeys: ['k', 'c'] } }
  const by = world({ b: done({ k: 'b' }), c: done({ k: 'c', c: 'c' }), e: broken() })
  for (const conflictPolicy of ['last', 'first', 'error']) {
    const played = run([edges, nodes, { conflictPolicy, branchFailurePolicy: 'continue_others' }], by)
    t.equal(outcome(played), 'completed')
    t.match(memoryOf(played), { k: 'b', c: 'c', d: 'd' }, conflictPolicy)
  }
})

t.test('a rejection inside a branch', async (t) => {
  const ask = { type: 'approval', title: '?', message: '?' }
  const reject = world({}, { decide: () => ({ decision: 'reject', reason: 'no' }) })
  const edges = ['a > b', 'a > c', 'b > d', 'c > d', 'd > e']
  const all = run([edges, { c: ask }], reject, { pick: inOrder('c') })
  t.equal(outcome(all), 'rejected')
  t.match(all.memory.c, { decision: 'reject', reason: 'no' }, 'the decision is kept')
  const others = run([edges, { c: ask }, { branchFailurePolicy: 'continue_others' }], reject, { pick: inOrder('c') })
  t.equal(outcome(others), 'completed')
  t.match(others.memory, { c: { decision: 'reject' }, d: 'd' })
  const taken = run([[...edges, 'c > f on_failure', 'f > d'], { c: ask }], reject, { pick: inOrder('c') })
  t.equal(outcome(taken), 'completed', 'an edge takes it')
  t.match(visited(taken), ['a', 'b', 'c', 'f', 'd', 'e'])
  const last = run([['a > b', 'a > c'], { c: { ...ask, endsAs: 'rejected' } }], world())
  t.equal(outcome(last), 'rejected', 'a branch that is meant to end so')
})

t.test('waiting: only when every branch waits for people', async (t) => {
  const ask = { type: 'approval', title: '?', message: '?' }
  const played = run([diamond, { c: ask }], world(), { pick: inOrder('b') })
  t.same(
    played.transitions.map(({ status }) => status),
    ['running', 'running', 'waiting', 'running', 'completed'],
  )
})

t.test('the join reads by the mappings of all edges that led there', async (t) => {
  const pkg = graphOf(diamond, { d: { inputKeys: ['x', 'rows'] } }, {})
  const { edges } = pkg.manifest.graph
  Object.assign(edges[2]!, { inputMapping: { x: 'b' } })
  Object.assign(edges[3]!, { inputMapping: { rows: 'c' } })
  t.match(play(pkg, world(), { pick: inOrder('c') }).effects.at(-1), { nodeId: 'd', input: { x: 'b', rows: 'c' } })
})

t.test('fan-out is bounded: what computes on and on is stopped, many branches are not', async (t) => {
  const wide = Array.from({ length: 32 }, (_, index) => `n${index}`)
  const many = run([wide.flatMap((id) => [`a > ${id}`, `${id} > z`])])
  t.equal(outcome(many), 'completed')
  const routers = Object.fromEntries(wide.map((id) => [id, { type: 'router', maxVisits: 1000 }]))
  const loops = wide.flatMap((id) => [`a > ${id}`, `${id} > ${id} always`, `${id} > z x == 2`])
  const endless = run([loops, routers, { loopConfig: { maxSteps: 1000 } }])
  t.equal(outcome(endless), 'failed: no_progress')
})

t.test('a run that an earlier release began goes on', async (t) => {
  const pkg = graphOf(['a > b'])
  const begun = next(pkg, startState(), {}, { kind: 'start', input: {} })
  const { forks: _, used: __, ...old } = throughJson(begun.state)
  t.equal(pendingEffects(pkg, old as typeof begun.state, {}).length, 1)
  const after = next(pkg, old as typeof begun.state, {}, { kind: 'tool_result', call: '1.1', result: done({ a: 1 }) })
  t.match(after.effects, [{ nodeId: 'b' }])
})

t.test('forks in forks in forks are bounded: each key is looked for in all of them', async (t) => {
  const keys = Array.from({ length: 64 }, (_, index) => `k${index}`)
  // It does not take the input of the node, which fails at once and forks again.
  const strict = { name: 'strict', file: 'tools/echo.js', description: '', inputSchema: { required: ['other'] } }
  const at = { type: 'function', tool: 'strict', inputKeys: keys, maxVisits: 1000 }
  const pkg = packageOf({
    ...smallest(),
    tools: [strict],
    input: { type: 'object', properties: Object.fromEntries(keys.map((key) => [key, {}])) },
    graph: {
      entryNode: 'a',
      nodes: [
        ...['a', 'b'].map((id) => ({ id, ...at })),
        { id: 'end', type: 'approval', title: 'End?', message: '', maxVisits: 1000 },
      ],
      edges: ['ab', 'ba'].flatMap(([source, target]) => [
        { source, target, condition: 'always' },
        { source, target: 'end', condition: 'always' },
      ]),
      terminalNodes: ['end'],
      loopConfig: { maxSteps: 980 },
    },
  })
  const { error, state } = next(pkg, startState(), {}, { kind: 'start', input: {} })
  t.match(error, { code: 'no_progress' })
  t.match(state, { activations: [], forks: [] })
})
