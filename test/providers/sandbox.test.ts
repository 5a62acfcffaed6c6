import { readdir } from 'node:fs/promises'
import t from 'tap'
import { createSandbox } from '../../src/providers/sandbox.ts'
import { until } from '../support/until.ts'
import { createToolRunner, limits } from './tool-runner.ts'

const { sandbox, run, evaluate, failure } = createToolRunner()
t.teardown(() => sandbox.close())

t.test('a tool takes JSON and gives JSON, whatever characters are in it', async (t) => {
  const input = { text: 'é€😀\u0000\ud800', deep: [[{ n: 1.5, nothing: null }]], 'a"b\\': true }
  t.same(await run('export default (input) => input', input), { ok: true, output: input, logs: [] })
  t.same(await run('export default async (input) => { await null; return [input.a] }', { a: 1 }), {
    ok: true,
    output: [1],
    logs: [],
  })
  t.same(await run('export default () => undefined'), { ok: true, output: null, logs: [] })
})

t.test('it imports modules of its package, and exact decimals', async (t) => {
  const files = { 'tools/lib/sum.js': "import Big from 'enginex:decimal'\nexport const sum = (a, b) => Big(a).plus(b)" }
  const code = "import { sum } from './lib/sum.js'\nexport default ({ a, b }) => sum(a, b).toFixed()"
  t.match(await run(code, { a: '0.1', b: '0.2' }, { files }), { output: '0.3' })
})

t.test('failures say what and where', async (t) => {
  const files = { 'tools/lib/deep.js': '\n\nexport function deep(x) {\n  return x.y.z\n}' }
  const code = "import { deep } from './lib/deep.js'\nexport default () => deep({})"
  t.match(await failure(code, { files }), {
    code: 'tool_threw',
    message: /^TypeError: /,
    file: 'tools/lib/deep.js',
    line: 4,
  })
  t.same(await failure("export default async () => {\n await null\n throw new Error('no rows')\n}"), {
    code: 'tool_threw',
    message: 'no rows',
    file: 'tools/x.js',
    line: 3,
  })
  t.match(await failure('export default () => {\n  let x = ;\n}'), {
    code: 'tool_invalid',
    file: 'tools/x.js',
    line: 2,
  })
  t.match(await failure('export const x = 1'), { code: 'tool_invalid', message: /default export/ })
  t.match(await failure('export default () => 1', { entry: 'tools/none.js' }), { code: 'tool_invalid' })
  t.match(await failure('export default () => new Promise(() => {})'), { code: 'tool_invalid', message: /promise/ })
  t.match(await failure("export default () => { throw 'text' }"), { code: 'tool_threw', message: 'it threw text' })
  t.match(await failure('export default () => { throw null }'), { code: 'tool_threw', message: 'it threw null' })
  t.match(await failure('export default () => { throw { get message() { throw 1 } } }'), { code: 'tool_threw' })
  const long = await failure("export default () => { throw new Error('x'.repeat(1e6)) }")
  t.equal(long.message.length, 1000)
})

t.test('the console is kept, up to a limit', async (t) => {
  const talk = await run(
    "export default () => { console.log('a', { b: 1 }, 2n, undefined); console.error(new Error('c')) }",
  )
  t.same(talk.logs, ['a {"b":1} 2 undefined', 'Error: c'])
  const chatter = await run("export default () => { for (let i = 0; i < 1000; i++) console.log('x'.repeat(5000)) }")
  t.equal(chatter.logs.length, 100)
  t.ok(chatter.logs.every((line) => line.length === 1000))
  t.same((await failure("console.log('seen'); export default 1")).code, 'tool_invalid')
})

t.test('with a time and a seed, a repeated call sees the same clock and the same chance', async (t) => {
  const now = '2026-03-01T10:00:00.000Z'
  const expression =
    '[new Date(), Date.now(), new Date(0), Date(), new Date() instanceof Date, new Date(2020, 0, 1), context]'
  t.same(await evaluate(expression, { now }), [
    now,
    Date.parse(now),
    '1970-01-01T00:00:00.000Z',
    'Sun Mar 01 2026 10:00:00 GMT+0000',
    true,
    '2020-01-01T00:00:00.000Z',
    { now },
  ])
  t.equal(await evaluate('new Date(0).constructor.now()', { now }), Date.parse(now))
  const draws = 'Array.from({ length: 1000 }, Math.random)'
  const first = (await evaluate(draws, { seed: 'run:1.1' })) as number[]
  t.same(await evaluate(draws, { seed: 'run:1.1' }), first)
  t.notSame(await evaluate(draws, { seed: 'run:1.2' }), first)
  t.ok(first.every((draw) => draw >= 0 && draw < 1) && new Set(first).size === 1000)
})

t.test('an abort ends a call that runs and one that waits; others go on', async (t) => {
  const [running, waiting] = [new AbortController(), new AbortController()]
  const request = { entry: 'x.js', input: {}, limits }
  const endless = sandbox.run({ ...request, files: { 'x.js': 'for (;;);' } }, running.signal)
  const queued = sandbox.run({ ...request, files: { 'x.js': 'export default () => 1' } }, waiting.signal)
  const other = sandbox.run({ ...request, files: { 'x.js': 'export default () => 2' } })
  waiting.abort(new Error('cancelled'))
  await t.rejects(queued, /cancelled/)
  running.abort(new Error('taken over'))
  await t.rejects(endless, /taken over/)
  t.match(await other, { output: 2 })
  await t.rejects(sandbox.run({ ...request, files: {} }, AbortSignal.abort(new Error('too late'))), /too late/)
})

t.test('a closed sandbox runs nothing and keeps nobody waiting', async (t) => {
  const closed = createSandbox({ threads: 1 })
  const request = { entry: 'x.js', input: {}, limits }
  t.match(await closed.run({ ...request, files: { 'x.js': 'export default () => 1' } }), { output: 1 })
  const endless = closed.run({ ...request, files: { 'x.js': 'for (;;);' } })
  const queued = closed.run({ ...request, files: { 'x.js': 'export default () => 1' } })
  const refused = [t.rejects(endless, /closed/), t.rejects(queued, /closed/)]
  await closed.close()
  await Promise.all(refused)
  await t.rejects(closed.run({ ...request, files: {} }), /closed/)
})

t.test('threads start when needed and go when idle', async (t) => {
  const threads = async () => (await readdir('/proc/self/task')).length
  const before = await threads()
  const short = createSandbox({ threads: 2, idleMs: 1 })
  const request = { entry: 'x.js', files: { 'x.js': 'export default (input) => input' }, limits }
  const results = await Promise.all([1, 2, 3, 4, 5].map((input) => short.run({ ...request, input })))
  t.match(results, [{ output: 1 }, { output: 2 }, { output: 3 }, { output: 4 }, { output: 5 }])
  await until('the threads are gone', async () => (await threads()) <= before)
  t.match(await short.run({ ...request, input: 6 }), { output: 6 })
  await short.close()
})

t.test('5,000 rows with decimals', async (t) => {
  const rows = Array.from({ length: 5000 }, (_, index) => ({
    transaction_id: `T-${index}`,
    input_amount: '1234.56',
    output_amount: '1200.00',
    fees: '34.56',
  }))
  const code = `import Big from 'enginex:decimal'
    export default ({ rows }) => ({
      rows: rows.map((row) => ({ ...row, holds: Big(row.input_amount).eq(Big(row.output_amount).plus(row.fees)) })),
    })`
  const started = performance.now()
  const result = await run(code, { rows })
  t.comment(`5,000 rows in and out: ${Math.round(performance.now() - started)} ms`)
  t.ok(result.ok && (result.output as { rows: { holds: boolean }[] }).rows.every((row) => row.holds))
})
