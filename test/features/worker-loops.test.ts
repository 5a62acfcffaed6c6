import t from 'tap'
import type { SandboxRequest } from '../../src/providers/sandbox.ts'
import { chatModel, type Script } from '../support/chat-model.ts'
import { seedTenant } from '../support/database.ts'
import { until } from '../support/until.ts'
import { gate, workplace } from '../support/work.ts'

// Models that work for one another and check one another, in the worker: what the machine alone is tested for in test/engine.

const place = await workplace(t)
const acme = await seedTenant(place.doors, 'acme')

/** A lead with two helpers and a second opinion. */
function teamPackage(): Map<string, Buffer> {
  const helper = { type: 'subagent', systemPrompt: 'Help.', outputKeys: ['found'], tools: ['look_up'] }
  const lead = {
    ...{ id: 'lead', type: 'event_loop', systemPrompt: 'Lead.', inputKeys: ['topic'], outputKeys: ['reply'] },
    ...{ subAgents: ['finder', 'checker'], successCriteria: 'The reply is the second draft.' },
  }
  const manifest = {
    ...{ name: 'team', version: '1.0.0', description: 'A lead and two helpers.' },
    goal: { name: 'Reply', description: 'Replies.' },
    input: { type: 'object', required: ['topic'], properties: { topic: { type: 'string' } } },
    graph: {
      entryNode: 'lead',
      nodes: [lead, { ...helper, id: 'finder' }, { ...helper, id: 'checker' }],
      edges: [],
      terminalNodes: ['lead'],
    },
    tools: [{ name: 'look_up', file: 'tools/look-up.js', description: 'Looks up.', timeoutMs: 60_000 }],
  }
  return new Map([
    ['agent.json', Buffer.from(JSON.stringify(manifest))],
    ['tools/look-up.js', Buffer.from('export default ({ of }) => ({ fact: "all of " + of })')],
  ])
}

const verdict =
  (verdict: string, feedback: string): Script =>
  () =>
    JSON.stringify({ verdict, feedback })
const found: Script = (turn, said) =>
  turn === 0 ? [['look_up', { of: 'it' }]] : [['set_output', { key: 'found', value: said[0].fact }]]

t.test('helpers side by side, a verdict, a better reply, and a worker that leaves in between', async (t) => {
  const heard: unknown[][] = []
  // What a model is asked about stands in its first message, and says which script is its.
  const scripts: Record<string, Script> = {
    'first draft': verdict('retry', 'Write another one.'),
    'second draft': verdict('accept', ''),
    'find it': found,
    'check it': found,
    'two drafts': (turn, said, told) => {
      heard.push([...said, ...told])
      if (turn > 0) return [['set_output', { key: 'reply', value: turn === 1 ? 'first draft' : 'second draft' }]]
      return [
        ['delegate', { agent: 'finder', task: 'find it' }],
        ['delegate', { agent: 'checker', task: 'check it' }],
      ]
    },
  }
  const model = await chatModel(t, scripts)
  const held = gate()
  const isTool = ({ entry }: SandboxRequest) => entry === 'tools/look-up.js'
  const first = await place.work(t, { ...model, graceMs: 50, before: (one) => (isTool(one) ? held.pass() : undefined) })
  await place.deploy(acme, 'team', teamPackage())
  const { runId, sessionId } = await place.begin(acme, 'team', { topic: 'two drafts' })
  await until('both helpers are at work', () => held.came === 2)
  await first.stop()
  await place.work(t, model)
  await place.arrives(runId, 'completed')

  const memory = new Map((await place.rowsOf('run_memory', runId)).map(({ key, value }) => [key, value]))
  t.equal(memory.get('reply'), 'second draft')
  t.notOk(memory.get('found'), "what helpers found is the lead's to use")
  t.same(heard.at(-1), [
    { found: 'all of it' },
    { found: 'all of it' },
    'ok',
    'Not good enough yet: Write another one.',
  ])
  const calls = await place.rowsOf('model_calls', runId)
  t.equal(calls.filter(({ kind }) => kind === 'judge').length, 2)
  t.equal(calls.filter(({ node_id }) => node_id === 'finder').length, 2, 'each turn is recorded once')
  const events = await place.eventsOf(sessionId)
  t.equal(events.filter((type) => type === 'subagent_report').length, 2)
  t.equal(events.filter((type) => type === 'judge_verdict').length, 4, 'of the helpers as well')
  held.open()
})

t.test('a helper that gives up, a lead that is told, and a judge that gives up too', async (t) => {
  const scripts: Record<string, Script> = {
    'no draft': verdict('escalate', 'There is nothing to find.'),
    'look twice': () => 'I do not know.',
    nothing: (turn) =>
      turn === 0
        ? [['delegate', { agent: 'finder', task: 'look twice' }]]
        : [['set_output', { key: 'reply', value: 'no draft' }]],
  }
  await place.work(t, await chatModel(t, scripts))
  const { runId, sessionId } = await place.begin(acme, 'team', { topic: 'nothing' })
  const run = await place.arrives(runId, 'failed')
  t.match(run, { error: { code: 'escalated', message: /There is nothing to find\.$/ } })
  const { rows } = await place.admin.query(
    `select data from session_events where session_id = $1 and type in ('subagent_report', 'escalation_requested') order by seq`,
    [sessionId],
  )
  t.match(
    rows.map(({ data }) => data),
    [{ agent: 'finder', ok: false, code: 'stalled' }, { reason: 'There is nothing to find.' }],
  )
})
