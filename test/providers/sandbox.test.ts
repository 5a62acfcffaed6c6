import t from 'tap'
import { createSandbox, type SandboxRequest, type SandboxResult } from '../../src/providers/sandbox.ts'

const sandbox = createSandbox({ threads: 1 })
t.teardown(() => sandbox.close())
const limits = { timeoutMs: 5000, memoryMb: 64, outputBytes: 1024 * 1024 }
const short = { ...limits, timeoutMs: 200 }

/** Runs one module as a tool, with `files` beside it. */
function run(code: string, input: unknown = {}, more: Partial<SandboxRequest> = {}): Promise<SandboxResult> {
  return sandbox.run({ entry: 'tools/x.js', input, limits, ...more, files: { ...more.files, 'tools/x.js': code } })
}

/** Runs an expression inside a tool and returns its value. */
async function evaluate(expression: string, more: Partial<SandboxRequest> = {}): Promise<unknown> {
  const result = await run(`export default (input, context) => (${expression})`, {}, more)
  if (!result.ok) throw new Error(result.error.message)
  return result.output
}

async function failure(code: string, more: Partial<SandboxRequest> = {}) {
  const result = await run(code, {}, more)
  return result.ok ? { code: 'none', message: JSON.stringify(result.output) } : result.error
}

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

t.test('nothing else can be imported', async (t) => {
  const specifiers = ['fs', 'node:fs', 'std', 'os', 'quickjs:std', './y.js', '../../../etc/passwd', '/etc/passwd']
  for (const specifier of [...specifiers, 'http://127.0.0.1/x.js', '../prompts/x.md', 'data:text/javascript,1']) {
    const files = { 'prompts/x.md': 'export default 1' }
    const error = await failure(`import '${specifier}'\nexport default () => 1`, { files })
    t.match(error, { code: 'tool_invalid', message: /^the package has no module / }, specifier)
    t.match(await failure(`export default () => import('${specifier}')`, { files }), { message: /has no module/ })
  }
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

t.test('output that is no JSON, too large, or dangerous to copy is refused', async (t) => {
  t.match(await failure('export default () => 10n'), { code: 'tool_invalid', message: /not JSON/ })
  t.match(await failure('export default () => { const a = {}; a.a = a; return a }'), { code: 'tool_invalid' })
  t.match(await failure("export default () => 'x'.repeat(2e6)"), { code: 'tool_output_too_large' })
  t.match(await failure("export default () => 'é'.repeat(6e5)"), { code: 'tool_output_too_large' })
  t.match(await failure(`export default () => JSON.parse('{"__proto__": {"admin": true}}')`), { code: 'tool_invalid' })
  t.match(await failure('export default () => { let a = []; for (let i = 0; i < 5e4; i++) a = [a]; return a }'), {
    code: 'tool_invalid',
  })
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

t.test('there is nothing of the host inside, and nothing stays for the next call', async (t) => {
  const names = [
    'process',
    'require',
    'fetch',
    'setTimeout',
    'Worker',
    'WebAssembly',
    'Deno',
    'performance',
    'os',
    'std',
  ]
  t.same(await evaluate(`${JSON.stringify(names)}.filter((name) => name in globalThis)`), [])
  t.equal(await evaluate("console.log.constructor('return this')() === globalThis"), true)
  t.equal(await evaluate("(async () => {}).constructor('return typeof process')()"), 'undefined')
  t.equal(await evaluate("import.meta.url ?? 'none'"), 'none')
  const poison = `Object.prototype.admin = true; Array.prototype.map = null; JSON.stringify = () => '"forged"'
    JSON.parse = () => null; globalThis.secret = 'of acme'; Object.prototype.toJSON = undefined
    export default (input) => input`
  t.match(await run(poison, { a: 1 }), { ok: true, output: { a: 1 } }, 'the tool cannot forge how it is read')
  t.same(await evaluate('[{}.admin, typeof secret, JSON.stringify([1].map((x) => x))]'), [null, 'undefined', '[1]'])
  t.equal(({} as { admin?: boolean }).admin, undefined)
})

t.test('what never ends is ended, however it is written', async (t) => {
  const endless = {
    loop: 'export default () => { for (;;); }',
    'top level': 'for (;;);',
    caught: 'export default () => { for (;;) { try { for (;;); } catch {} finally { continue } } }',
    promises: 'export default async () => { for (;;) await null }',
    expression: "export default () => /(a+)+$/.test('a'.repeat(40) + 'b')",
    toJSON: 'export default () => ({ toJSON() { for (;;); } })',
    getter: 'export default () => { throw { get name() { for (;;); } } }',
    setter:
      'Object.defineProperty(Object.prototype, "default", { get() { for (;;); } }); export const x = 1; for (;;);',
    proxy: 'export default () => new Proxy({}, { ownKeys() { for (;;); } })',
    'native code': 'export default () => { const a = []; a[4294967290] = 1; a.sort() }',
  }
  for (const [name, code] of Object.entries(endless)) {
    const started = performance.now()
    t.match(
      await failure(code, { limits: short }),
      { code: 'tool_timeout', message: 'it ran longer than 200 ms' },
      name,
    )
    t.ok(performance.now() - started < 3000, `${name} ended in time`)
  }
})

t.test('what never stops growing stops at its limit, and the process does not grow with it', async (t) => {
  const before = process.memoryUsage().rss
  const bombs = {
    objects: 'export default () => { const a = []; for (;;) a.push({ a: 1, b: [1, 2] }) }',
    caught: 'export default () => { const a = []; for (;;) try { for (;;) a.push([1]) } catch {} }',
    strings: "export default () => { const a = []; for (;;) a.push('x'.repeat(1e5) + a.length) }",
    buffers: 'export default () => { const a = []; for (;;) a.push(new Uint8Array(1e6).fill(1)) }',
    huge: 'export default () => new Uint8Array(2e9).length',
    closures: 'export default () => { let f = () => 1; for (;;) f = f.bind(null) }',
    promises: 'export default async () => { const a = []; for (;;) a.push(new Promise(() => {}).then(() => a)) }',
  }
  for (const [name, code] of Object.entries(bombs)) {
    const { code: reason } = await failure(code, { limits: { ...limits, timeoutMs: 1500 } })
    t.match(reason, name === 'caught' || name === 'promises' ? /^tool_(memory|timeout)$/ : 'tool_memory', name)
  }
  const grown = Math.round((process.memoryUsage().rss - before) / 1024 / 1024)
  t.comment(`memory bombs: the process grew by ${grown} MB`)
  t.ok(grown < 200, `the process grew by ${grown} MB`)
  t.match(await run('export default (input) => input.length', 'x'.repeat(20e6)), { error: { code: 'tool_memory' } })
})

t.test('deep recursion is an error like any other', async (t) => {
  const recursions = {
    calls: 'export default () => { const f = (n) => f(n + 1) + 1; return f(0) }',
    text: "const o = { toString() { return '' + o } }; export default () => '' + o",
    generator: 'function* g() { yield* g() } export default () => [...g()]',
    parser: "export default () => JSON.parse('['.repeat(1e6))",
    source: "export default () => eval('('.repeat(1e5) + ')'.repeat(1e5))",
    pattern: "export default () => new RegExp('(?:'.repeat(1e5) + ')'.repeat(1e5)).test('')",
    proxies: 'export default () => { let p = {}; for (let i = 0; i < 1e5; i++) p = new Proxy(p, {}); return p.x }',
  }
  for (const [name, code] of Object.entries(recursions)) t.match(await failure(code), { code: 'tool_threw' }, name)
  t.equal(await evaluate('1 + 1'), 2)
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
