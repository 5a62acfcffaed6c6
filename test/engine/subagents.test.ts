import t from 'tap'
import type { Effect, ModelResult } from '../../src/engine/machine.ts'
import { type Draft, packageOf, smallest } from './packages.ts'
import { broken, done, type Played, type PlayOptions, play, set, turn, type World } from './play.ts'
import { eventsOf, type ModelEffect, outcome, unpaired } from './talk.ts'

const delegate = (agent: unknown, task: unknown): [string, unknown] => ['delegate', { agent, task }]
const end = turn(set('reply', 'so'))
const found = turn(set('found', 1))

/** A lead and two helpers; `says` are the turns of each by node and turn, the last one again and again. */
function team(
  says: Record<string, readonly ModelResult[]>,
  world: World = {},
  { change = () => {}, ...options }: PlayOptions & { change?: (draft: Draft) => void } = {},
): Played {
  const draft = smallest()
  draft.tools.push({ name: 'look_up', file: 'tools/look-up.js', description: 'Looks up.' })
  const common = { systemPrompt: 'Help.', outputKeys: ['found'], tools: ['look_up'] }
  draft.graph.nodes = [
    ...[{ id: 'answer', type: 'event_loop', systemPrompt: 'Lead.', inputKeys: ['question'], outputKeys: ['reply'] }],
    { ...common, id: 'finder', type: 'subagent', description: 'Finds things.', inputKeys: ['question'] },
    { ...common, id: 'checker', type: 'subagent', description: 'Checks things.' },
  ]
  Object.assign(draft.graph.nodes[0], { subAgents: ['finder', 'checker'], tools: ['echo'] })
  change(draft)
  // Which turn it is the conversation says: answers must be the same after a crash, in whatever order they are asked for.
  const model = ({ nodeId, messages }: ModelEffect) => {
    const list = says[nodeId] ?? []
    const turnsSoFar = messages.filter(({ role }) => role === 'assistant').length
    return list[Math.min(turnsSoFar, list.length - 1)] as ModelResult
  }
  return play(packageOf(draft), { model, ...world }, options)
}

const turnsOf = ({ effects }: Played, node: string) =>
  effects.filter((effect): effect is ModelEffect => effect.kind === 'model' && effect.nodeId === node)

t.test('a task goes out, results come back', async (t) => {
  const played = team({ answer: [turn(delegate('finder', 'Find it.')), end], finder: [turn(['look_up', {}]), found] })
  t.equal(outcome(played), 'completed')
  const [first, second] = turnsOf(played, 'answer')
  const spec = first?.tools.find(({ name }) => name === 'delegate')
  t.match(spec?.description, /- finder: Finds things\.\n- checker: Checks things\./)
  t.match(spec?.inputSchema, { properties: { agent: { enum: ['finder', 'checker'] } } })
  t.match(second?.messages.at(-1), { role: 'tool', name: 'delegate', content: '{"found":1}' })
  t.same(
    turnsOf(played, 'finder')[0]?.messages.map(({ content }) => content),
    [
      'Help.\n\nGive your results by calling set_output once for each of these keys: found.',
      'Inputs, each as JSON:\ntask: "Find it."\nquestion: "why?"',
    ],
    'the task and its input keys, nothing of the other conversation',
  )
  t.match(eventsOf(played, 'subagent_report'), [{ nodeId: 'answer', data: { agent: 'finder', ok: true } }])
  const kept = Object.entries(played.memory).filter(([key, value]) => !key.startsWith('$') || value !== null)
  t.same(Object.fromEntries(kept), { question: 'why?', reply: 'so' }, 'its outputs are no keys of memory')
})

t.test('several in one turn work side by side, and answer in the order of the calls', async (t) => {
  const says = {
    answer: [turn(delegate('finder', 'a'), ['echo', {}], delegate('checker', 'b'), delegate('finder', 'c')), end],
    finder: [found],
    checker: [turn(['look_up', {}]), turn(set('found', 'checked'))],
  }
  for (const pick of [() => 0, (open: readonly Effect[]) => open.length - 1]) {
    const played = team(says, { tool: ({ tool }) => done(tool) }, { pick })
    t.equal(outcome(played), 'completed')
    const [, asked] = played.transitions
    t.same(
      asked?.effects.map(({ kind, nodeId }) => [kind, nodeId]),
      [
        ['tool', 'answer'],
        ['model', 'finder'],
        ['model', 'checker'],
        ['model', 'finder'],
      ],
    )
    const told = turnsOf(played, 'answer')[1]?.messages ?? []
    t.same(
      told.slice(3).map(({ content }) => content),
      ['{"found":1}', 'echo', '{"found":"checked"}', '{"found":1}'],
    )
    t.equal(unpaired(told), undefined)
    t.equal(new Set(played.effects.map(({ call }) => call)).size, played.effects.length)
  }
})

t.test('a crash at any point leads to the same end', async (t) => {
  const says = {
    answer: [turn(delegate('finder', 'a'), delegate('checker', 'b')), turn(delegate('checker', 'c')), end],
    finder: [turn(['look_up', { n: 1 }], ['look_up', { n: 2 }]), found],
    checker: [turn('Hm.'), found],
  }
  const plain = team(says)
  t.equal(outcome(plain), 'completed')
  for (let at = 1; at < plain.transitions.length; at += 1) {
    const crashed = team(says, {}, { crash: (count) => count === at })
    t.same(crashed.last.state, plain.last.state, `after transition ${at}`)
    t.same(crashed.memory, plain.memory)
  }
})

t.test('its failure is told, and does not fail the node', async (t) => {
  const failing: [name: string, finder: ModelResult[], told: RegExp][] = [
    [
      'a model that cannot be reached',
      [{ ok: false, error: { code: 'model_timeout', message: 'late' } }],
      /^error model_timeout: late$/,
    ],
    ['one that gets nowhere', [turn('Hm.')], /^error stalled: .*not set: found$/],
    ['one that never stops', Array.from({ length: 30 }, (_, n) => turn(['look_up', { n }])), /^error iteration_limit/],
  ]
  for (const [name, finder, told] of failing) {
    const played = team({ answer: [turn(delegate('finder', 'x')), end], finder })
    t.equal(outcome(played), 'completed', name)
    t.match(turnsOf(played, 'answer')[1]?.messages.at(-1), { role: 'tool', content: told }, name)
    t.match(eventsOf(played, 'subagent_report'), [{ data: { ok: false } }], name)
  }
  const retried = team(
    { answer: [turn(delegate('finder', 'x')), end], finder: [turn(['look_up', {}]), turn('Hm.')] },
    { tool: () => broken() },
    { change: ({ graph }) => Object.assign(graph.nodes[1], { maxRetries: 1 }) },
  )
  t.equal(eventsOf(retried, 'node_loop_started').filter(({ nodeId }) => nodeId === 'finder').length, 2)
})

t.test('what is no delegation', async (t) => {
  const wrong: [name: string, call: [string, unknown], told: RegExp][] = [
    ['an unknown agent', delegate('nobody', 'x'), /^error: agent must be one of finder, checker$/],
    ['itself', delegate('answer', 'x'), /^error: agent must be one of/],
    ['no agent', delegate(['finder'], 'x'), /^error: agent must be one of/],
    ['no task', delegate('finder', ' '), /^error: task must be a text/],
    ['a long task', delegate('finder', 'x'.repeat(8001)), /^error: task must be a text of 1 to 8000/],
    ['a tool of the other', ['look_up', {}], /^error: there is no tool look_up$/],
  ]
  for (const [name, call, told] of wrong) {
    const played = team({ answer: [turn(call), end] })
    t.match(turnsOf(played, 'answer')[1]?.messages[3], { content: told }, name)
  }
  const nested = team({ answer: [turn(delegate('finder', 'x')), end], finder: [turn(delegate('checker', 'y')), found] })
  t.match(turnsOf(nested, 'finder')[1]?.messages[3], { content: 'error: there is no tool delegate' })
  const asking = team({
    answer: [turn(delegate('finder', 'x')), end],
    finder: [turn(['ask_user', { question: '?' }]), found],
  })
  t.match(turnsOf(asking, 'finder')[1]?.messages[3], { content: 'error: there is no tool ask_user' })
})

t.test('what it uses counts for whom it works', async (t) => {
  const finder = [turn(['look_up', { n: 1 }]), turn(['look_up', { n: 2 }]), found]
  const answer = [turn(delegate('finder', 'x')), turn(['echo', {}]), end]
  const limited = (fields: Draft) => ({ change: ({ graph }: Draft) => Object.assign(graph.nodes[0], fields) })
  // One delegation, two calls of the finder, one of its own; 15 tokens for each of 6 turns, 5 of them before the last.
  t.match(outcome(team({ answer, finder }, {}, limited({ maxToolCalls: 3 }))), /tool_call_limit: .*asks for 4 calls/)
  t.equal(outcome(team({ answer, finder }, {}, limited({ maxToolCalls: 4 }))), 'completed')
  t.match(outcome(team({ answer, finder }, {}, limited({ maxTokens: 75 }))), /token_limit: .*75 tokens are used/)
  t.equal(outcome(team({ answer, finder }, {}, limited({ maxTokens: 76 }))), 'completed')
  const own = ({ graph }: Draft) => Object.assign(graph.nodes[1], { maxToolCalls: 1 })
  const stopped = team({ answer, finder }, {}, { change: own })
  t.match(turnsOf(stopped, 'answer')[1]?.messages.at(-1), { content: /^error tool_call_limit/ })
})

t.test('a rubric of its own', async (t) => {
  const model = ({ nodeId, purpose }: ModelEffect): ModelResult => {
    if (purpose === 'judge') return { ...(turn('') as ModelResult & { ok: true }), object: { verdict: 'accept' } }
    return nodeId === 'finder' ? found : turn(delegate('finder', 'x'))
  }
  let asked = 0
  const lead = (effect: ModelEffect) => (effect.nodeId === 'answer' && asked++ > 0 ? end : model(effect))
  const change = ({ graph }: Draft) => Object.assign(graph.nodes[1], { successCriteria: 'Is it there?' })
  const played = team({}, { model: lead }, { change })
  t.equal(outcome(played), 'completed')
  t.match(turnsOf(played, 'finder')[1], { purpose: 'judge' })
})

t.test('a model that works on items of a list has no task', async (t) => {
  const change = ({ graph, input }: Draft) => {
    input.properties = { rows: {} }
    input.required = []
    graph.nodes = [
      { id: 'answer', type: 'map', over: 'rows', itemKey: 'row', each: 'one', outputKeys: ['reply'] },
      { id: 'one', type: 'event_loop', systemPrompt: 'x', inputKeys: ['row'], outputKeys: ['reply'] },
    ]
  }
  const played = team({ one: [end] }, {}, { change, input: { rows: [7] } })
  t.equal(outcome(played), 'completed')
  t.equal(turnsOf(played, 'one')[0]?.messages[1]?.content, 'Inputs, each as JSON:\nrow: 7')
})
