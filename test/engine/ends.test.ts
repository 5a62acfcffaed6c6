import t from 'tap'
import { type ModelResult, next, startState } from '../../src/engine/machine.ts'
import { draftOf, eventsOf, graphOf, outcome, world } from './graphs.ts'
import { broken as wrong } from './invariants.ts'
import { type Draft, packageOf } from './packages.ts'
import { broken, play, set, throughJson, turn, visited, type World } from './play.ts'

function run(draft: Draft, by: World = world()) {
  const pkg = packageOf(draft)
  const played = play(pkg, by, { input: { x: 1 } })
  t.equal(wrong(pkg, played), undefined)
  return played
}

t.test('a pause asks after the node, with its outputs, and writes nothing', async (t) => {
  const draft = draftOf(
    ['a > b', 'b > c', 'b > d on_failure'],
    { b: { name: 'Book it', description: 'Books.' } },
    { pauseNodes: ['b', 'c'] },
  )
  const played = run(draft)
  t.equal(outcome(played), 'completed')
  const [first, second] = played.effects.filter((effect) => effect.kind === 'approval')
  t.match(first, {
    call: '2.2',
    nodeId: 'b',
    title: 'Go on after Book it?',
    message: 'Books.',
    evidence: [{ key: 'b', value: 'b' }],
    proposal: null,
    policy: null,
  })
  t.match(second, { nodeId: 'c' }, 'after a terminal node too')
  t.same(Object.keys(played.memory).sort(), ['a', 'b', 'c', 'x'])
  const records = played.transitions.flatMap(({ steps }) => steps).filter(({ step }) => step === 2)
  t.same(
    records.map(({ status }) => status),
    ['running', 'waiting', 'completed'],
  )
  const no = world({}, { decide: () => ({ decision: 'reject', reason: 'not yet' }) })
  t.same(
    visited(run(draft, { ...no, decide: ({ nodeId }) => ({ decision: nodeId === 'b' ? 'reject' : 'approve' }) })),
    ['a', 'b', 'd'],
  )
  const plain = draftOf(['a > b'], {}, { pauseNodes: ['a'] })
  t.equal(outcome(run(plain, no)), 'rejected', 'no edge takes it')
  t.equal(outcome(run(plain, { ...no, tool: () => broken() })), 'failed: tool_threw', 'a failure is not asked about')
  const ask = draftOf(['a > b'], { a: { type: 'approval', title: '?', message: '?' } }, { pauseNodes: ['a'] })
  t.equal(run(ask).effects.filter(({ kind }) => kind === 'approval').length, 1, 'an approval asks once')
})

const criterion = (id: string, weight: number, expression?: string) => {
  return { id, description: 'd', metric: 'm', target: 't', weight, ...(expression ? { expression } : {}) }
}

function scored(criteria: Draft[], by: World = world(), change: (draft: Draft) => void = () => {}) {
  const draft = draftOf(['a > b'])
  draft.goal.successCriteria = criteria
  change(draft)
  return run(draft, by)
}
const judge = (object: unknown) => world({}, { model: () => ({ ...turn(''), object }) as ModelResult })

t.test('the score: by expressions, by a model, by weight', async (t) => {
  const computed = scored([criterion('good', 0.6, 'a == "a"'), criterion('bad', 0.2, 'visits.b > 1')])
  t.equal(computed.last.score, 0.75)
  t.equal(computed.effects.length, 2, 'no model is asked')
  t.match(eventsOf(computed, 'goal_scored'), [
    {
      score: 0.75,
      criteria: [
        { id: 'good', score: 1 },
        { id: 'bad', score: 0 },
      ],
    },
  ])
  const judged = scored([criterion('good', 0.5, 'result.ok'), criterion('fine', 0.5)], judge({ fine: 0.5 }))
  t.equal(judged.last.score, 0.75)
  t.match(judged.effects.at(-1), {
    kind: 'model',
    purpose: 'score',
    call: '2.2',
    nodeId: 'b',
    output: { required: ['fine'] },
  })
  t.match(
    judged.transitions.map(({ status }) => status),
    ['running', 'running', 'running', 'completed'],
  )
  t.equal(scored([]).last.score, undefined)
  const rejected = scored([criterion('good', 1, '!result.ok')], world(), ({ graph }) =>
    Object.assign(graph.nodes[1], { endsAs: 'rejected' }),
  )
  t.match(rejected.last, { status: 'rejected', score: 1 })
  t.equal(scored([criterion('good', 1)], world({ a: broken() })).last.score, undefined, 'a failed run is not scored')
})

t.test('criteria never change how a run ends', async (t) => {
  const cases: [name: string, played: ReturnType<typeof scored>, code: string][] = [
    ['no answer', scored([criterion('good', 1, 'a > 1')]), 'condition_failed'],
    ['nonsense', scored([criterion('good', 1)], judge({ good: 2 })), 'score_invalid'],
    ['nothing', scored([criterion('good', 1)], judge(null)), 'score_invalid'],
    [
      'no model',
      scored(
        [criterion('good', 1)],
        world({}, { model: () => ({ ok: false, error: { code: 'model_not_configured', message: 'none' } }) }),
      ),
      'model_not_configured',
    ],
  ]
  for (const [name, { last, transitions }, code] of cases) {
    t.match(last, { status: 'completed', score: null }, name)
    const [event] = eventsOf({ transitions } as ReturnType<typeof scored>, 'goal_scored')
    t.match(event, { score: null, criteria: [{ id: 'good', score: null, error: { code } }] }, name)
  }
  t.equal(scored([criterion('good', 0, 'result.ok')]).last.score, null, 'nothing weighs anything')
})

const model = { type: 'event_loop', systemPrompt: 'x', outputKeys: ['a'] }

t.test('tokens and tool calls of a run', async (t) => {
  const limited = (loopConfig: Draft, edges = ['a > b', 'b > c']) => run(draftOf(edges, {}, { loopConfig }))
  t.equal(outcome(limited({ maxToolCalls: 3 })), 'completed')
  t.equal(outcome(limited({ maxToolCalls: 2 })), 'failed: tool_call_limit')
  t.equal(outcome(limited({ maxToolCalls: 3 }, ['a > b', 'a > c', 'b > d', 'c > d'])), 'failed: tool_call_limit')
  const asking = (maxTokens: number, answers: ModelResult[], more: Draft = {}) => {
    const draft = draftOf(['a > b'], { a: model }, { loopConfig: { maxTokens } })
    Object.assign(draft, more)
    return run(draft, world({}, { model: () => answers.shift() ?? turn(set('a', 1)) }))
  }
  t.equal(outcome(asking(16, [turn('hm')])), 'completed', '15 of 16 are used when it asks again')
  const over = asking(15, [turn('hm')])
  t.equal(over.last.error?.message, 'the run may use 15 tokens, and a model would be asked once more')
  t.same(over.last.state.used, { inputTokens: 10, outputTokens: 5, toolCalls: 0 })
  const goal = { name: 'g', description: 'g', successCriteria: [criterion('good', 1)] }
  t.match(asking(15, [], { goal }).last, { status: 'completed', score: null }, 'for a score there are no tokens left')
})

t.test('the time of a run', async (t) => {
  const pkg = graphOf(['a > b', 'a > c'], {}, { loopConfig: { maxWallTimeMs: 5000 } })
  const begun = next(pkg, startState(), {}, { kind: 'start', input: {} })
  const over = next(pkg, begun.state, {}, { kind: 'deadline' })
  t.match(over, { status: 'failed', error: { code: 'time_limit', message: /5000 milliseconds/ }, effects: [] })
  t.match(over.steps, [{ nodeId: 'a', status: 'failed', error: { code: 'abandoned' } }])
  t.equal(next(pkg, over.state, {}, { kind: 'deadline' }).state, over.state, 'once')
  t.equal(next(pkg, startState(), {}, { kind: 'deadline' }).events.length, 0)
  const draft = draftOf(['a > b'])
  draft.goal.successCriteria = [criterion('good', 1)]
  const scoring = play(packageOf(draft), judge({ good: 1 })).transitions.at(-2)!
  t.match(next(packageOf(draft), throughJson(scoring.state), {}, { kind: 'deadline' }), {
    status: 'completed',
    score: null,
  })
})

t.test('an entry point of a trigger', async (t) => {
  const draft = draftOf(
    ['a > b', 'b > c'],
    {},
    { asyncEntryPoints: [{ id: 'hourly', entryNode: 'b', triggerType: 'timer' }] },
  )
  t.same(visited(play(packageOf(draft), world(), { entryPoint: 'hourly' })), ['b', 'c'])
})
