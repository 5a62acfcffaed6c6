import t from 'tap'
import { next, startState } from '../../src/engine/machine.ts'
import { type Draft, packageOf, review, smallest } from './packages.ts'
import { broken, done, type Played, type PlayOptions, play, set, turn, visited, type World } from './play.ts'

const world: World = {
  tool: ({ tool }) => done(tool === 'echo' ? { rows: [1, 2], reply: 'ok', stray: 'x' } : 'found'),
  model: () => turn(set('text', 'Dear all'), set('note', 'short')),
}

/** A run of `review()`, changed. */
function run(overrides: World = {}, change: (draft: Draft) => void = () => {}, options?: PlayOptions): Played {
  const draft = review()
  change(draft)
  return play(packageOf(draft), { ...world, ...overrides }, options)
}

const outcome = ({ last }: Played) => [last.status, last.error?.code, last.error?.message].filter(Boolean).join(': ')
const typesOf = ({ transitions }: Played) => transitions.flatMap(({ events }) => events.map((event) => event.type))

t.test('the smallest package', async (t) => {
  const played = play(packageOf(smallest()), { tool: ({ input }) => done({ reply: input.question, stray: 1 }) })
  t.equal(outcome(played), 'completed')
  t.same(played.memory, { question: 'why?', reply: 'why?' }, 'what is no output key is dropped')
  t.match(played.effects, [{ kind: 'tool', call: '1.1', step: 1, nodeId: 'answer', tool: 'echo', timeoutMs: 5000 }])
  t.same(typesOf(played), [
    ...['execution_started', 'node_loop_started', 'tool_call_started'],
    ...['tool_call_completed', 'node_loop_completed', 'execution_completed'],
  ])
  t.match(
    played.transitions.map(({ steps }) => steps),
    [[{ step: 1, nodeId: 'answer', attempt: 1, status: 'running' }], [{ step: 1, attempt: 1, status: 'completed' }]],
  )
})

t.test('a tool, a model, a person, a tool', async (t) => {
  const played = run()
  t.equal(outcome(played), 'completed')
  t.same(visited(played), ['fetch', 'draft', 'check', 'send'])
  const decision = { decision: 'approve', reason: 'because', decidedBy: 'user-1', rejections: 0 }
  t.match(played.memory, { rows: [1, 2], text: 'Dear all', note: 'short', check: decision })
  t.notOk('stray' in played.memory)
  const approval = played.effects.find((effect) => effect.kind === 'approval')
  t.match(approval, {
    call: '3.1',
    title: 'Send it?',
    message: 'About why?: short',
    evidence: [{ key: 'rows', value: [1, 2] }],
    proposal: { key: 'text', value: 'Dear all' },
    editSchema: { type: 'string', maxLength: 100 },
    policy: { name: 'finance', roles: ['operator'] },
  })
  const waiting = played.transitions.find(({ status }) => status === 'waiting')
  t.match(waiting?.steps.at(-1), { step: 3, nodeId: 'check', status: 'waiting' })
})

t.test('an edit replaces the proposal', async (t) => {
  const played = run({ decide: () => ({ decision: 'edit', values: 'Dear Olga' }) })
  t.equal(played.memory.text, 'Dear Olga')
  t.match(played.effects.at(-1), { kind: 'tool', nodeId: 'send', input: { text: 'Dear Olga' } })
})

t.test('a rejection goes back with its reason, as often as the condition says, and then ends the run', async (t) => {
  const played = run({ decide: () => ({ decision: 'reject', reason: 'too long' }) })
  t.equal(outcome(played), 'rejected')
  t.same(visited(played), ['fetch', 'draft', 'check', 'draft', 'check', 'draft', 'check'])
  t.match(played.memory.check, { decision: 'reject', reason: 'too long', rejections: 3 })
  const models = played.effects.filter((effect) => effect.kind === 'model')
  t.notMatch(models[0]?.messages[1]?.content, 'too long')
  t.match(models[1]?.messages[1]?.content, /check: \{.*"reason":"too long"/)
  t.match(played.transitions.at(-1)?.steps, [{ nodeId: 'check', status: 'completed' }], 'the question itself succeeded')
})

t.test('a rejection that leads to a terminal node ends as that node says', async (t) => {
  const played = run({ decide: () => ({ decision: 'reject' }) }, ({ graph }) => {
    graph.nodes.push({ id: 'regret', type: 'function', tool: 'echo', endsAs: 'rejected' })
    graph.terminalNodes.push('regret')
    graph.edges[3] = { source: 'check', target: 'regret', condition: 'on_failure' }
  })
  t.equal(outcome(played), 'rejected')
  t.equal(visited(played).at(-1), 'regret')
})

t.test('a failed attempt is repeated, with new calls, maxRetries times', async (t) => {
  const failing = (until: number): World => {
    let calls = 0
    return { tool: (effect) => (effect.nodeId === 'fetch' && ++calls <= until ? broken() : world.tool!(effect)) }
  }
  const once = run(failing(1))
  t.equal(outcome(once), 'completed')
  t.same(
    once.effects.slice(0, 2).map((effect) => effect.call),
    ['1.1', '1.2'],
  )
  t.match(once.transitions[1]?.steps, [
    { step: 1, attempt: 1, status: 'failed', error: { code: 'tool_threw' } },
    { step: 1, attempt: 2, status: 'running' },
  ])
  const twice = run(failing(2))
  t.equal(outcome(twice), 'failed: tool_threw: "fetch" failed: it broke')
  t.same(visited(twice), ['fetch', 'fetch'])
})

t.test('after a failure: on_failure, always, a condition, or the end', async (t) => {
  const after = (edge: Draft) =>
    run({ tool: (effect) => (effect.nodeId === 'fetch' ? broken() : done()) }, (draft) => {
      draft.graph.edges.push({ source: 'fetch', target: 'send', priority: 1, ...edge })
    })
  t.same(visited(after({ condition: 'on_failure' })), ['fetch', 'fetch', 'send'])
  t.same(visited(after({ condition: 'always' })), ['fetch', 'fetch', 'send'])
  const expression = '!result.ok && result.error.code == "tool_threw"'
  t.same(visited(after({ condition: 'conditional', expression })), ['fetch', 'fetch', 'send'])
  t.equal(
    outcome(after({ condition: 'conditional', expression: 'result.ok' })),
    'failed: tool_threw: "fetch" failed: it broke',
  )
})

t.test('the highest priority whose condition holds', async (t) => {
  const towards = (expression: string) =>
    run({}, ({ graph }) => {
      graph.edges.push({ source: 'fetch', target: 'send', condition: 'conditional', expression, priority: 1 })
    })
  t.same(visited(towards('size(rows) == 2 && visits.fetch == 1 && visits.send == 0')), ['fetch', 'send'])
  t.same(visited(towards('size(rows) == 3')), ['fetch', 'draft', 'check', 'send'])
  const unclear = towards('rows')
  t.match(outcome(unclear), 'failed: condition_failed: the condition rows from "fetch" to "send" has no answer')
})

t.test('no way on, too many visits, too many steps: the run fails and says where', async (t) => {
  const onlyIf = run({}, ({ graph }) => {
    Object.assign(graph.edges[0], { condition: 'conditional', expression: 'rows == null' })
  })
  t.equal(outcome(onlyIf), 'failed: no_edge: "fetch" succeeded, and no edge leads on')
  const reject = { decide: () => ({ decision: 'reject' as const }) }
  const visits = run(reject, ({ graph }) => Object.assign(graph.edges[3], { expression: '!result.ok' }))
  t.equal(outcome(visits), 'failed: visit_limit: "draft" may be visited 3 times, and this would be one more')
  const steps = run({}, ({ graph }) => Object.assign(graph, { loopConfig: { maxSteps: 3 } }))
  t.equal(outcome(steps), 'failed: step_limit: the run may take 3 steps, and "send" would be one more')
  t.equal(typesOf(steps).at(-1), 'execution_failed')
})

t.test('what a tool must return', async (t) => {
  const returning = (output: unknown, change?: (draft: Draft) => void) => run({ tool: () => done(output) }, change)
  t.match(outcome(returning({})), 'failed: missing_outputs: "fetch" failed: echo did not return rows')
  t.match(outcome(returning({ rows: null })), 'did not return rows')
  t.match(outcome(returning('rows')), 'echo must return an object with rows')
  t.match(outcome(returning(null)), 'must return an object')
  t.match(outcome(returning(JSON.parse('{"__proto__": {"rows": 1}}'))), 'did not return rows')
  const nullable = returning({}, (draft) => Object.assign(draft.graph.nodes[0], { nullableOutputKeys: ['rows'] }))
  t.equal(nullable.memory.rows, null, 'nothing is left of an earlier visit')
})

t.test('a tool is held to what it says of itself', async (t) => {
  const rows = { type: 'array', items: { type: 'integer', maximum: 1 } }
  const outputSchema = { type: 'object', properties: { rows } }
  const output = run({}, ({ tools }) => Object.assign(tools[0], { outputSchema }))
  t.equal(
    outcome(output),
    'failed: output_invalid: "fetch" failed: echo returned the wrong thing: /rows/1 must be <= 1',
  )
  const inputSchema = { type: 'object', properties: { question: { type: 'integer' } } }
  const input = run({}, ({ tools }) => Object.assign(tools[0], { inputSchema }))
  t.equal(outcome(input), 'failed: input_invalid: "fetch" failed: echo does not take this: /question must be integer')
  t.equal(input.effects.length, 0, 'it is not called')
})

t.test('an edge renames inputs', async (t) => {
  const played = run({}, ({ graph }) => {
    graph.edges[2].inputMapping = { text: 'question' }
  })
  t.match(played.effects.at(-1), { nodeId: 'send', input: { text: 'why?' } })
})

t.test('where a run starts, and with what', async (t) => {
  const at = (entryPoint: string) =>
    run({}, ({ graph }) => Object.assign(graph.entryPoints, { late: 'check' }), { entryPoint })
  t.same(visited(at('late')), ['check', 'send'])
  t.equal(outcome(at('nowhere')), 'failed: input_invalid: there is no entry point "nowhere"')
  t.equal(outcome(at('constructor')), 'failed: input_invalid: there is no entry point "constructor"')
  const hostile = run({}, undefined, { input: JSON.parse('{"__proto__": {"polluted": true}}') })
  t.match(outcome(hostile), 'failed: input_invalid: "__proto__" cannot be a key of memory')
  t.notOk('polluted' in {})
})

t.test('placeholders take texts, numbers and truth values only', async (t) => {
  const message = (value: unknown) => {
    const played = run({ model: () => turn(set('text', 'x'), set('note', value)) })
    return played.effects.find((effect) => effect.kind === 'approval')?.message
  }
  t.equal(message(3), 'About why?: 3')
  t.equal(message(true), 'About why?: true')
  t.equal(message({ a: 1 }), 'About why?: ')
  t.equal(message('$& {{question}}'), 'About why?: $& {{question}}')
  t.equal(message('x'.repeat(10_000))?.length, 512)
})

t.test('what nothing waits for changes nothing', async (t) => {
  const pkg = packageOf(review())
  const begun = next(pkg, startState(), {}, { kind: 'start', input: {} })
  const nothing = { state: begun.state, status: 'running', writes: {}, events: [], effects: [], steps: [] }
  t.same(next(pkg, begun.state, {}, { kind: 'start', input: { question: 'again' } }), nothing)
  t.same(next(pkg, begun.state, {}, { kind: 'tool_result', call: '9.9', result: done() }), nothing)
  t.same(next(pkg, begun.state, {}, { kind: 'model_result', call: '1.1', result: turn('') }), nothing, 'another kind')
  const decision = { decision: 'approve', reason: '', decidedBy: 'u', decidedAt: 'now' } as const
  t.same(next(pkg, begun.state, {}, { kind: 'decision', approval: '1.1', ...decision }), nothing, 'another kind')
  const { last } = run()
  t.same(next(pkg, last.state, {}, { kind: 'tool_result', call: '4.1', result: broken() }).events, [], 'after the end')
})

t.test('events hold keys and numbers, not what a run works on', async (t) => {
  const played = run({}, undefined, { input: { question: 'secret-question' } })
  const text = JSON.stringify(played.transitions.map(({ events }) => events))
  for (const secret of ['secret-question', 'Dear all', 'short']) t.notMatch(text, secret)
})
