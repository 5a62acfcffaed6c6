import { createHash } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import type { Message, ModelResult } from '../../src/engine/machine.ts'
import { seedTenant } from '../support/database.ts'
import { tinyPackage } from '../support/tiny-package.ts'
import { workplace } from '../support/work.ts'

const place = await workplace(t)
const acme = await seedTenant(place.doors, 'acme')
const beta = await seedTenant(place.doors, 'beta')
for (const tenant of [acme, beta]) await place.deploy(tenant, 'tiny', tinyPackage())

t.test('a tool that throws or never ends fails its run readably; the other tenant goes on', async (t) => {
  await place.work(t)
  const throwing = tinyPackage({
    name: 'throwing',
    tools: { double: 'export default () => {\n  throw new Error("no such broker")\n}' },
  })
  await place.deploy(acme, 'throwing', throwing)
  await place.deploy(
    acme,
    'slow',
    tinyPackage({ name: 'slow', tools: { double: 'export default () => { for (;;); }' }, timeoutMs: 300 }),
  )
  const slow = await place.begin(acme, 'slow')
  const thrown = await place.begin(acme, 'throwing')
  const other = await place.begin(beta, 'tiny', { number: 4 })
  t.match((await place.arrives(thrown.runId, 'failed'))['error'], {
    code: 'tool_threw',
    message: /tools\/double\.js:2.*no such broker/,
  })
  t.match((await place.arrives(slow.runId, 'failed'))['error'], { code: 'tool_timeout' })
  await place.arrives(other.runId, 'waiting')
  t.equal((await place.eventsOf(slow.sessionId)).at(-1), 'execution_failed')
})

t.test('what PostgreSQL cannot store is the tool’s fault', async (t) => {
  await place.work(t)
  await place.deploy(
    acme,
    'nul',
    tinyPackage({ name: 'nul', tools: { double: 'export default () => ({ doubled: "a\\0b" })' } }),
  )
  const { runId } = await place.begin(acme, 'nul')
  t.match((await place.arrives(runId, 'failed'))['error'], { code: 'tool_invalid', message: /NUL/ })
})

t.test('a report that is none fails the run, and tells where', async (t) => {
  await place.work(t)
  await place.deploy(
    acme,
    'html',
    tinyPackage({
      name: 'html',
      tools: { conclude: 'export default () => ({ report: { title: "x", html: "<b>" } })' },
    }),
  )
  const { runId } = await place.begin(acme, 'html', { number: 1 })
  await place.arrives(runId, 'waiting')
  await place.answer(acme, runId, 'approve')
  t.match((await place.arrives(runId, 'failed'))['error'], { code: 'input_invalid', message: /report is not valid/ })
  t.same(await place.rowsOf('reports', runId), [])
})

t.test('what nobody expected fails the run with a code, and says nothing of the inside', async (t) => {
  const files = { ...place.files, bytes: () => Promise.reject(new Error('EIO: /secret/path')) }
  await place.work(t, { files })
  const { runId } = await place.begin(acme, 'tiny', { number: 1 })
  const { error } = await place.arrives(runId, 'failed')
  t.match(error, { code: 'internal' })
  t.notMatch(JSON.stringify(error), /secret/)
})

t.test('a CSV file reaches the first tool as rows of text', async (t) => {
  await place.work(t)
  const rows = {
    type: 'array',
    items: {
      type: 'object',
      required: ['id', 'amount'],
      properties: { amount: { type: 'string', format: 'decimal' } },
    },
  }
  const input = {
    type: 'object',
    required: ['number'],
    properties: { number: { contentMediaType: 'text/csv', contentSchema: rows } },
  }
  const tools = { double: 'export default ({ number }) => ({ doubled: JSON.stringify(number) })' }
  await place.deploy(acme, 'csv', tinyPackage({ name: 'csv', input, tools }))
  const text = 'id,amount\na,1.50\nb,-2\n'
  const path = join(place.directory, 'upload.csv')
  await writeFile(path, text)
  const sha256 = createHash('sha256').update(text).digest('hex')
  const upload = { field: 'number', fileName: 'rows.csv', mediaType: 'text/csv', path, bytes: text.length, sha256 }
  const { runId } = await place.begin(acme, 'csv', {}, [upload])
  await place.arrives(runId, 'waiting')
  const [approval] = (await place.rowsOf('approvals', runId)) as [{ payload: { proposal: { value: string } } }]
  const { proposal } = approval.payload
  t.same(JSON.parse(proposal.value), [
    { id: 'a', amount: '1.50' },
    { id: 'b', amount: '-2' },
  ])
})

const model = {
  id: 'double',
  type: 'event_loop',
  systemPrompt: 'Double the number.',
  inputKeys: ['number'],
  outputKeys: ['doubled'],
  tools: ['double'],
}

t.test('a model node: turns, tools side by side, and its output', async (t) => {
  await place.deploy(acme, 'model', tinyPackage({ name: 'model', first: model }))
  const usage = { inputTokens: 1, outputTokens: 1 }
  const turns: ModelResult[] = [
    {
      ok: true,
      text: 'a NUL \0',
      toolCalls: [1, 2].map((number) => ({ id: `t${number}`, name: 'double', arguments: { number } })),
      usage,
      finishReason: 'tool-calls',
    },
    {
      ok: true,
      text: '',
      toolCalls: [{ id: 's', name: 'set_output', arguments: { key: 'doubled', value: 4 } }],
      usage,
      finishReason: 'tool-calls',
    },
  ]
  const asked: Message[][] = []
  await place.work(t, {
    callModel: async ({ messages }) => {
      asked.push([...messages])
      return turns.shift() ?? { ok: false, error: { code: 'no_more', message: 'no more turns' } }
    },
  })
  const { runId } = await place.begin(acme, 'model', { number: 2 })
  await place.arrives(runId, 'waiting')
  t.equal(asked.length, 2)
  t.match(asked[1]?.slice(-2), [
    { role: 'tool', content: '{"doubled":2}' },
    { role: 'tool', content: '{"doubled":4}' },
  ])
})

t.test('without a configured model the run says what the operator must do', async (t) => {
  await place.work(t)
  const { runId } = await place.begin(acme, 'model', { number: 2 })
  t.match((await place.arrives(runId, 'failed'))['error'], {
    code: 'model_not_configured',
    message: /ENGINEX_MODEL_NAME/,
  })
})
