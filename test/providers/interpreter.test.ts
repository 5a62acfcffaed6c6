import t from 'tap'
import { compileInterpreter, type Host } from '../../src/providers/interpreter.ts'
import { createToolRunner, limits } from './tool-runner.ts'

// An interpreter that served one organization serves the next: nothing of the first may be left in it.

const make = await compileInterpreter()
const host: Host = {
  isLate: () => false,
  load: () => ({ error: new Error('none') }),
  resolve: (_, name) => name,
  log: () => undefined,
}
const marker = 'secret-of-acme-'
const bytesOf = (memory: WebAssembly.Memory) => Buffer.from(new Uint8Array(memory.buffer))

t.test('what a tool leaves in memory is gone, to the last byte', async (t) => {
  const one = await make(64)
  const before = bytesOf(one.memory)
  const leftovers = [
    `globalThis.kept = '${marker}'.repeat(10_000)`,
    `Array.prototype.map = null; JSON.parse = () => '${marker}'; delete globalThis.console; 0`,
    `Promise.resolve().then(() => { globalThis.later = '${marker}' }); Symbol.for('${marker}'); 0`,
    `const map = new Map(); for (let i = 0; i < 1000; i++) map.set('${marker}' + i, [i]); globalThis.map = map; 0`,
  ]
  for (const text of leftovers) {
    one.host = host
    one.context.unwrapResult(one.context.evalCode(text))
    one.host = null
    t.ok(bytesOf(one.memory).includes(marker), 'it was there')
    t.ok(one.restore())
    t.ok(bytesOf(one.memory).equals(before), text)
  }
})

t.test('a memory that has grown is not used again', async (t) => {
  const one = await make(64)
  one.host = host
  one.context.unwrapResult(one.context.evalCode(`'x'.repeat(2e7).length`))
  t.notOk(one.restore())
})

t.test('the next tool finds everything new, and limits that still hold', async (t) => {
  const { sandbox, run, evaluate, failure } = createToolRunner()
  t.teardown(() => sandbox.close())
  const probe = `[typeof globalThis.kept, typeof Array.prototype.map, typeof JSON.parse, typeof console.log,
    new Date(0).getTime(), Math.random() < 1]`
  const fresh = await evaluate(probe)
  for (const deed of [
    'globalThis.kept = 1',
    'Array.prototype.map = null; JSON.parse = null; JSON.stringify = null',
    'globalThis.console = null; globalThis.Date = null; Math.random = () => 7',
    'Promise.resolve().then(() => { for (;;); })',
  ]) {
    await run(`export default () => { ${deed}; return {} }`)
    t.same(await evaluate(probe), fresh, deed)
  }
  t.match(await run(`export default () => { console.log('heard'); return {} }`), { logs: ['heard'] })
  const endless = await failure('export default () => { for (;;); }', { limits: { ...limits, timeoutMs: 100 } })
  t.equal(endless.code, 'tool_timeout', 'it can still be interrupted')
  t.not(await evaluate('Math.random()'), await evaluate('Math.random()'), 'chance does not begin anew')
})
