import t from 'tap'
import { createToolRunner, limits } from './tool-runner.ts'

const { sandbox, run, evaluate, failure } = createToolRunner()
t.teardown(() => sandbox.close())
const short = { ...limits, timeoutMs: 100 }

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
      { code: 'tool_timeout', message: 'it ran longer than 100 ms' },
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
    // These two may go on with what little is left, until their time is over.
    const lasting = name === 'caught' || name === 'promises'
    const { code: reason } = await failure(code, { limits: lasting ? { ...limits, timeoutMs: 500 } : limits })
    t.match(reason, lasting ? /^tool_(memory|timeout)$/ : 'tool_memory', name)
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

t.test('output that is no JSON, too large, or dangerous to copy is refused', async (t) => {
  t.match(await failure('export default () => 10n'), { code: 'tool_invalid', message: /not JSON/ })
  t.match(await failure('export default () => { const a = {}; a.a = a; return a }'), { code: 'tool_invalid' })
  t.match(await failure("export default () => 'x'.repeat(2e6)"), { code: 'tool_output_too_large' })
  t.match(await failure("export default () => 'é'.repeat(6e5)"), { code: 'tool_output_too_large' })
  t.match(await failure(`export default () => JSON.parse('{"__proto__": {"admin": true}}')`), { code: 'tool_invalid' })
  const nested = (depth: number) =>
    `export default () => { let a = 0; for (let i = 0; i < ${depth}; i++) a = [a]; return a }`
  t.match(await run(nested(200)), { ok: true })
  t.match(await failure(nested(201)), { code: 'tool_invalid', message: /nested deeper/ })
  t.match(await failure(nested(50_000)), { code: 'tool_invalid', message: /not JSON/ })
  const many =
    'export default () => Array(1e5).fill({ a: [[], [], [], [], [], [], [], String.fromCharCode(91, 92, 34)] })'
  const refused = await failure(many, { limits: { ...limits, outputBytes: 16e6 } })
  t.match(refused, { code: 'tool_output_too_large', message: /values/ })
  t.match(await run("export default () => '[,{'.repeat(3e5)"), { ok: true }, 'text is one value')
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
