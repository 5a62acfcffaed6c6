import t from 'tap'
import type { ModelResult } from '../../src/engine/machine.ts'
import { packageOf, smallest } from './packages.ts'
import { broken, done, play, set, turn, type World } from './play.ts'
import { busy, eventsOf, outcome, saidTo, talk, turns } from './talk.ts'

t.test('the first turn: instructions, inputs, tools', async (t) => {
  const played = talk([turn(set('reply', 'so'))])
  t.equal(outcome(played), 'completed')
  t.same(played.memory, { question: 'why?', reply: 'so', aside: null })
  const [effect] = turns(played)
  t.match(effect, { call: '1.1', model: 'default' })
  t.match(effect?.messages, [
    { role: 'system', content: /^Write a short text\.\n\n.*set_output.*reply, aside\.\n\n.*left out: aside\.$/s },
    { role: 'user', content: 'Inputs, each as JSON:\nquestion: "why?"' },
  ])
  t.same(
    effect?.tools.map((tool) => tool.name),
    ['set_output', 'echo', 'look_up', 'write_report'],
  )
  t.match(effect?.tools[0]?.inputSchema, { properties: { key: { enum: ['reply', 'aside'] } } })
  t.equal(turns(played).length, 1, 'nothing is missing, so no further turn')
  t.match(eventsOf(played, 'llm_turn_complete'), [{ data: { iteration: 1, inputTokens: 10, outputTokens: 5 } }])
  t.match(eventsOf(played, 'judge_verdict'), [{ data: { verdict: 'accept' } }])
})

t.test('a prompt may stand in the node, and a purpose with it', async (t) => {
  const played = talk([turn(set('reply', 1))], {}, (node) => {
    Object.assign(node, { systemPrompt: 'Be brief.', model: 'drafting' })
  })
  t.match(turns(played)[0], { model: 'drafting', messages: [{ content: /^Be brief\./ }, {}] })
})

t.test('what is missing is asked for again, up to the limit', async (t) => {
  const played = talk([turn('Hello!'), turn(set('reply', 'so'))])
  t.equal(outcome(played), 'completed')
  t.match(saidTo(played, 1), [
    { role: 'assistant', content: 'Hello!', toolCalls: [] },
    { role: 'user', content: 'Not done: set reply with set_output.' },
  ])
  const never = talk(busy, {}, (node) => Object.assign(node, { maxIterations: 4 }))
  t.equal(
    outcome(never),
    'failed: iteration_limit: "answer" failed: the model did not finish in 4 turns; not set: reply',
  )
  t.equal(turns(never).length, 4)
  t.equal(turns(talk(busy)).length, 10, 'the limit of the graph')
})

t.test('tools of a turn run side by side; their answers go back in the order of the calls', async (t) => {
  const world: World = { tool: ({ tool, input }) => done(tool === 'echo' ? { got: input } : 'plain text') }
  const played = talk([turn(['look_up', { q: 1 }], ['echo', { a: [2] }]), turn('thinking', set('reply', 1))], world)
  t.equal(outcome(played), 'completed')
  const tools = played.effects.filter((effect) => effect.kind === 'tool')
  t.match(tools, [
    { call: '1.2', tool: 'look_up', input: { q: 1 } },
    { call: '1.3', tool: 'echo', input: { a: [2] } },
  ])
  const said = [
    { role: 'assistant', toolCalls: [{ id: 'call_1_1_1' }, { id: 'call_1_1_2' }] },
    { role: 'tool', toolCallId: 'call_1_1_1', content: 'plain text' },
    { role: 'tool', toolCallId: 'call_1_1_2', content: '{"got":{"a":[2]}}' },
  ]
  t.match(saidTo(played, 1), said)
  const draft = smallest()
  draft.graph.nodes[0] = { id: 'answer', type: 'event_loop', systemPrompt: 'x', outputKeys: ['reply'], tools: ['echo'] }
  const first = turn(['echo', { n: 1 }], ['echo', { n: 2 }], ['echo', { n: 3 }])
  let count = 0
  const model = () => (count++ === 0 ? first : turn(set('reply', 1)))
  const late = play(
    packageOf(draft),
    { model, tool: ({ input }) => done(input.n) },
    { pick: (open) => open.length - 1 },
  )
  t.same(
    saidTo(late, 1)?.map((message) => message.content),
    ['', '1', '2', '3'],
    'whichever comes first',
  )
})

t.test('what a model does wrong is told to it', async (t) => {
  const tellings: [ModelResult, RegExp][] = [
    [turn(['format_disk', {}]), /^error: there is no tool format_disk$/],
    [turn(['ask_user', { question: 'x' }]), /^error: there is no tool ask_user$/],
    [turn(set('other', 1)), /^error: key must be one of reply, aside$/],
    [turn(set('__proto__', 1)), /^error: key must be one of/],
    [turn(set('reply', null)), /^error: reply needs a value$/],
    [turn(['look_up', { q: 'one' }]), /^error input_invalid: look_up does not take this: \/q must be integer$/],
    [turn(['set_output', 'reply=1']), /^error: the arguments must be a JSON object/],
  ]
  for (const [wrong, answer] of tellings) {
    const played = talk([wrong, turn(set('reply', 'so'))])
    t.match(saidTo(played, 1)?.[1], { role: 'tool', toolCallId: 'call_1_1_1', content: answer }, String(answer))
    t.equal(outcome(played), 'completed')
  }
  const failing = talk([turn(['echo', {}]), turn(set('reply', 1))], { tool: () => broken('no such page') })
  t.match(saidTo(failing, 1)?.[1], { role: 'tool', content: 'error tool_threw: no such page' })
  t.equal(outcome(failing), 'completed', 'a failed tool is not a failed node')
})

t.test('calls above the limit are dropped, and the model is told', async (t) => {
  const many = turn(...Array.from({ length: 5000 }, (_, index): [string, unknown] => ['echo', { index }]))
  const played = talk([many, turn(set('reply', 1))], {}, (_node, { graph }) => {
    graph.loopConfig = { maxToolCallsPerTurn: 3 }
  })
  t.equal(played.effects.filter((effect) => effect.kind === 'tool').length, 3)
  t.match(saidTo(played, 1)?.at(-1), { role: 'user', content: 'Only the first 3 of your 5000 calls were made.' })
})

t.test('instructions that are too long fail the attempt before anything is asked', async (t) => {
  const first = talk([turn('')], {}, (node, { graph }) => {
    graph.loopConfig = { maxHistoryTokens: 1000 }
    Object.assign(node, { systemPrompt: 'y'.repeat(5000), maxRetries: 10 })
  })
  t.match(outcome(first), /^failed: history_limit: .*the conversation has about \d+ tokens, more than 1000/)
  t.equal(turns(first).length, 0)
})

t.test('a retry begins a new conversation', async (t) => {
  const wrong = turn(['echo', {}])
  const played = talk([wrong, wrong, wrong, wrong, turn(set('reply', 'so'))], {}, (node) => {
    node.maxRetries = 1
  })
  t.equal(outcome(played), 'completed')
  t.equal(saidTo(played, 4)?.length, 0)
})

t.test('a model that cannot be reached fails the attempt', async (t) => {
  const down: ModelResult = { ok: false, error: { code: 'model_unreachable', message: 'no answer' } }
  t.equal(outcome(talk([down])), 'failed: model_unreachable: "answer" failed: no answer')
  const back = talk([down, turn(set('reply', 1))], {}, (node) => Object.assign(node, { maxRetries: 1 }))
  t.equal(outcome(back), 'completed')
})

t.test('without outputs the node is done when the model stops calling', async (t) => {
  const played = talk([turn(['echo', {}]), turn('done')], {}, (node) => {
    Object.assign(node, { outputKeys: [], nullableOutputKeys: [] })
  })
  t.equal(outcome(played), 'completed')
  t.equal(turns(played).length, 2)
  t.notOk(turns(played)[0]?.tools.some((tool) => tool.name === 'set_output'))
})
