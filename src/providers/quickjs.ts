import { createHash, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { posix } from 'node:path'
import type { QuickJSContext, QuickJSHandle } from 'quickjs-emscripten-core'
import { compileInterpreter, type Interpreter } from './interpreter.ts'
import { shapeOf } from './json-shape.ts'
import type { SandboxFailure, ThreadRequest, ThreadResult } from './sandbox.ts'

const megabyte = 1024 * 1024
const sourceBytes = 2 * megabyte
const decimalModule = 'enginex:decimal'
/** Short text can stand for objects that fill the process which reads it, or are too deep for whoever walks them. */
const mostValues = 1_000_000
const mostDepth = 200
const mostLogs = 100
const longestText = 1000

/** An interpreter for one call, and the modules that exist in it. */
interface Guest extends Pick<Interpreter, 'runtime' | 'context' | 'own'> {
  readonly files: ReadonlyMap<string, string>
}

export type Evaluate = (request: ThreadRequest) => Promise<ThreadResult>

/**
 * Compiles the interpreter once. Every evaluation finds an interpreter in which nothing has happened: a new one, or after
 * an evaluation that ended well the same with its whole memory put back. For one evaluation at a time.
 */
export async function createInterpreter(): Promise<Evaluate> {
  const [make, decimal] = await Promise.all([
    compileInterpreter(),
    readFile(new URL(import.meta.resolve('big.js')), 'utf8'),
  ])
  let spare: Interpreter | null = null
  return async (request) => {
    const { memoryMb } = request.limits
    const interpreter = spare?.memoryMb === memoryMb ? spare : await make(memoryMb)
    spare = null
    const files = new Map([...Object.entries(request.files), [decimalModule, decimal] as const])
    const result = evaluate(interpreter, request, files)
    interpreter.host = null
    // What failed may have left the interpreter's own code in the middle of something.
    if (result.ok && interpreter.restore()) spare = interpreter
    return result
  }
}

class Failed extends Error {
  readonly failure: SandboxFailure
  constructor(code: SandboxFailure['code'], message: string, place?: Pick<SandboxFailure, 'file' | 'line'>) {
    super(message)
    this.failure = { code, message, ...place }
  }
}

function evaluate(interpreter: Interpreter, request: ThreadRequest, files: Guest['files']): ThreadResult {
  const { timeoutMs } = request.limits
  const logs: string[] = []
  const deadline = performance.now() + timeoutMs
  let late = false
  interpreter.host = {
    isLate() {
      late ||= performance.now() > deadline
      return late
    },
    load: (path) => sourceOf(files, path),
    resolve: (from, name) => (name.startsWith('.') ? posix.join(posix.dirname(from), name) : name),
    log: (read) => void (logs.length < mostLogs && logs.push(read().slice(0, longestText))),
  }
  const { runtime, context, own } = interpreter
  try {
    return { ok: true, output: callTool({ runtime, context, own, files }, request), logs }
  } catch (error) {
    if (late) return { ok: false, error: { code: 'tool_timeout', message: `it ran longer than ${timeoutMs} ms` }, logs }
    return { ok: false, error: failureOf(error, interpreter.isFull()), logs }
  }
}

/** Returns the output as JSON text. */
function callTool(guest: Guest, request: ThreadRequest): string {
  const { context, own } = guest
  const { input, entry, now, limits } = request
  if (input.length > (limits.memoryMb * megabyte) / 4) throw new Failed('tool_memory', 'its input is too large')
  const toGuest = (text: string) => call(guest, own.parse, context.newString(text))
  setGlobals(guest, request, toGuest)
  const args = [toGuest(input), toGuest(JSON.stringify({ now }))]
  const output = settle(guest, call(guest, loadTool(guest, entry), ...args))
  return toText(context, stringifyOutput(guest, own.stringify, output), limits.outputBytes)
}

function call(guest: Guest, callee: QuickJSHandle, ...args: QuickJSHandle[]): QuickJSHandle {
  const result = guest.context.callFunction(callee, guest.context.undefined, ...args)
  if (result.error) throw thrown(guest, result.error)
  return result.value
}

function setGlobals(guest: Guest, { now, seed }: ThreadRequest, toGuest: (text: string) => QuickJSHandle): void {
  const { context, own } = guest
  const time = now === undefined ? undefined : Date.parse(now)
  const options = toGuest(JSON.stringify({ now: time, seed: words(seed ?? randomBytes(16)) }))
  context.setProp(options, 'emit', own.emit)
  call(guest, own.globals, options)
}

/** Four 32-bit numbers from anything. */
function words(seed: string | Buffer): number[] {
  const digest = createHash('sha256').update(seed).digest()
  return [0, 4, 8, 12].map((offset) => digest.readInt32LE(offset))
}

function loadTool(guest: Guest, entry: string): QuickJSHandle {
  const { context } = guest
  const source = sourceOf(guest.files, entry)
  if (typeof source !== 'string') throw new Failed('tool_invalid', source.error.message)
  const loaded = context.evalCode(source, entry, { type: 'module' })
  if (loaded.error) throw thrown(guest, loaded.error, 'tool_invalid')
  const tool = context.getProp(settle(guest, loaded.value), 'default')
  if (context.typeof(tool) === 'function') return tool
  throw new Failed('tool_invalid', 'it has no function as its default export', { file: entry })
}

/** Only the package's own JavaScript and `enginex:decimal` exist. */
function sourceOf(files: Guest['files'], path: string): string | { error: Error } {
  const source = path.endsWith('.js') || path === decimalModule ? files.get(path) : undefined
  if (source === undefined) return { error: new Error(`the package has no module ${path}`) }
  if (source.length > sourceBytes) return { error: new Error(`the module ${path} is too large`) }
  return source
}

function settle(guest: Guest, handle: QuickJSHandle): QuickJSHandle {
  for (;;) {
    const state = guest.context.getPromiseState(handle)
    if (state.type === 'fulfilled') return state.value
    if (state.type === 'rejected') throw thrown(guest, state.error)
    if (!guest.runtime.hasPendingJob()) throw new Failed('tool_invalid', 'it waits for a promise that nothing settles')
    const ran = guest.runtime.executePendingJobs()
    if (ran.error) throw thrown(guest, ran.error)
  }
}

function stringifyOutput(guest: Guest, stringify: QuickJSHandle, output: QuickJSHandle): QuickJSHandle {
  try {
    return call(guest, stringify, output)
  } catch (error) {
    if (!(error instanceof Failed) || error.failure.code !== 'tool_threw') throw error
    throw new Failed('tool_invalid', `its output is not JSON: ${error.message}`)
  }
}

function toText(context: QuickJSContext, json: QuickJSHandle, outputBytes: number): string {
  if (context.typeof(json) !== 'string') return 'null'
  const tooLarge = new Failed('tool_output_too_large', `its output is larger than ${outputBytes} bytes`)
  if (context.getNumber(context.getProp(json, 'length')) > outputBytes) throw tooLarge
  const text = context.getString(json)
  if (text === '') throw new Failed('tool_memory', 'no memory is left for its output')
  if (Buffer.byteLength(text) > outputBytes) throw tooLarge
  const { values, depth } = shapeOf(text)
  if (values > mostValues) throw new Failed('tool_output_too_large', `its output has more than ${mostValues} values`)
  if (depth > mostDepth) throw new Failed('tool_invalid', `its output is nested deeper than ${mostDepth} levels`)
  // Copied carelessly later, such a key would replace an object's prototype.
  if (text.includes('"__proto__"')) throw new Failed('tool_invalid', 'its output may not contain "__proto__"')
  return text
}

/** What the tool threw. Its text and place are the tool's own word. */
function thrown({ context, files }: Guest, value: QuickJSHandle, code: SandboxFailure['code'] = 'tool_threw'): Failed {
  if (context.typeof(value) !== 'object' || context.sameValue(value, context.null)) {
    return new Failed(code, `it threw ${String(context.dump(value))}`.slice(0, longestText))
  }
  const read = (key: string) => {
    const property = context.getProp(value, key)
    return context.typeof(property) === 'string' ? context.getString(property) : ''
  }
  const [name, message] = [read('name'), read('message')]
  if (name === 'InternalError' && message === 'out of memory') return outOfMemory()
  const text = name === 'Error' ? message || name : `${name}: ${message}`
  return new Failed(code, text.slice(0, longestText), placeOf(read('stack'), files))
}

function placeOf(stack: string, files: ReadonlyMap<string, string>): Pick<SandboxFailure, 'file' | 'line'> {
  for (const [, file = '', line] of stack.matchAll(/([^\s()]+):(\d+):\d+\)?$/gm)) {
    if (files.has(file) && file !== decimalModule) return { file, line: Number(line) }
  }
  return {}
}

function failureOf(error: unknown, full: boolean): SandboxFailure {
  if (full) return outOfMemory().failure
  if (error instanceof Failed) return error.failure
  // The interpreter itself gave up, as it does when its native code recurses too deeply.
  const message = error instanceof RangeError ? 'it recurses too deeply' : 'it broke the interpreter'
  return { code: 'tool_threw', message }
}

function outOfMemory(): Failed {
  return new Failed('tool_memory', 'it needs more memory than it may have')
}
