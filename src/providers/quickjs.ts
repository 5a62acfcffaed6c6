import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { posix } from 'node:path'
import release from '@jitl/quickjs-wasmfile-release-sync'
import {
  newQuickJSWASMModuleFromVariant,
  newVariant,
  type QuickJSContext,
  type QuickJSHandle,
  type QuickJSRuntime,
  type QuickJSSyncVariant,
} from 'quickjs-emscripten-core'
import { shapeOf } from './json-shape.ts'
import type { SandboxFailure, ThreadRequest, ThreadResult } from './sandbox.ts'
import { globalsSource } from './sandbox-globals.ts'

// Its types are written for CommonJS, where the default export is a property.
const variant = release as unknown as QuickJSSyncVariant

const megabyte = 1024 * 1024
const pageBytes = 64 * 1024
/** What the interpreter's module asks for at least: 16 MB. */
const initialPages = 256
/** With much more, deep recursion overruns the module's own stack and aborts it. */
const stackBytes = 128 * 1024
/** Not for the tool: the host's own strings must still find room in a memory that a tool has filled. */
const reservedBytes = 4 * megabyte
const sourceBytes = 2 * megabyte
const decimalModule = 'enginex:decimal'
/** Short text can stand for objects that fill the process which reads it, or are too deep for whoever walks them. */
const mostValues = 1_000_000
const mostDepth = 200
const mostLogs = 100
const longestText = 1000

/** One interpreter and the modules that exist in it. */
interface Guest {
  readonly runtime: QuickJSRuntime
  readonly context: QuickJSContext
  readonly files: ReadonlyMap<string, string>
}

export type Evaluate = (request: ThreadRequest) => Promise<ThreadResult>

/** Compiles the interpreter once. Every evaluation gets an instance of its own, whose memory cannot grow past its limit. */
export async function createInterpreter(): Promise<Evaluate> {
  const [wasm, decimal] = await Promise.all([
    readFile(new URL(import.meta.resolve('@jitl/quickjs-wasmfile-release-sync/wasm'))),
    readFile(new URL(import.meta.resolve('big.js')), 'utf8'),
  ])
  const wasmModule = await WebAssembly.compile(wasm)
  return async (request) => {
    const maximum = Math.max(initialPages, Math.floor((request.limits.memoryMb * megabyte) / pageBytes))
    const wasmMemory = new WebAssembly.Memory({ initial: initialPages, maximum })
    const interpreter = await newQuickJSWASMModuleFromVariant(newVariant(variant, { wasmModule, wasmMemory }))
    // Never disposed of: whatever went wrong inside, it goes with its memory.
    const runtime = interpreter.newRuntime({
      maxStackSizeBytes: stackBytes,
      memoryLimitBytes: maximum * pageBytes - reservedBytes,
    })
    const isFull = () => wasmMemory.buffer.byteLength >= maximum * pageBytes - megabyte
    const files = new Map([...Object.entries(request.files), [decimalModule, decimal] as const])
    return evaluate({ runtime, context: runtime.newContext(), files }, request, isFull)
  }
}

class Failed extends Error {
  readonly failure: SandboxFailure
  constructor(code: SandboxFailure['code'], message: string, place?: Pick<SandboxFailure, 'file' | 'line'>) {
    super(message)
    this.failure = { code, message, ...place }
  }
}

function evaluate(guest: Guest, request: ThreadRequest, isFull: () => boolean): ThreadResult {
  const { timeoutMs } = request.limits
  const logs: string[] = []
  const deadline = performance.now() + timeoutMs
  let late = false
  guest.runtime.setInterruptHandler(() => {
    late ||= performance.now() > deadline
    return late
  })
  guest.runtime.setModuleLoader(
    (path) => sourceOf(guest, path),
    (from, name) => (name.startsWith('.') ? posix.join(posix.dirname(from), name) : name),
  )
  try {
    return { ok: true, output: callTool(guest, request, logs), logs }
  } catch (error) {
    if (late) return { ok: false, error: { code: 'tool_timeout', message: `it ran longer than ${timeoutMs} ms` }, logs }
    return { ok: false, error: failureOf(error, isFull()), logs }
  }
}

/** Returns the output as JSON text. What we use of the interpreter is taken before the tool can replace it. */
function callTool(guest: Guest, request: ThreadRequest, logs: string[]): string {
  const { context } = guest
  const { input, entry, now, limits } = request
  if (input.length > (limits.memoryMb * megabyte) / 4) throw new Failed('tool_memory', 'its input is too large')
  const json = context.getProp(context.global, 'JSON')
  const parse = context.getProp(json, 'parse')
  const stringify = context.getProp(json, 'stringify')
  const toGuest = (text: string) => call(guest, parse, context.newString(text))
  setGlobals(guest, request, logs, toGuest)
  const args = [toGuest(input), toGuest(JSON.stringify({ now }))]
  const output = settle(guest, call(guest, loadTool(guest, entry), ...args))
  return toText(context, stringifyOutput(guest, stringify, output), limits.outputBytes)
}

function call(guest: Guest, callee: QuickJSHandle, ...args: QuickJSHandle[]): QuickJSHandle {
  const result = guest.context.callFunction(callee, guest.context.undefined, ...args)
  if (result.error) throw thrown(guest, result.error)
  return result.value
}

function setGlobals(
  { context }: Guest,
  { now, seed }: ThreadRequest,
  logs: string[],
  toGuest: (text: string) => QuickJSHandle,
): void {
  const emit = context.newFunction('emit', (line) => {
    if (logs.length >= mostLogs || context.typeof(line) !== 'string') return
    logs.push(context.getString(line).slice(0, longestText))
  })
  const time = now === undefined ? undefined : Date.parse(now)
  const options = toGuest(JSON.stringify({ now: time, seed: seed === undefined ? undefined : words(seed) }))
  context.setProp(options, 'emit', emit)
  const globals = context.unwrapResult(context.evalCode(globalsSource, 'enginex:globals'))
  context.unwrapResult(context.callFunction(globals, context.undefined, options))
}

/** Four 32-bit numbers from any text. */
function words(seed: string): number[] {
  const digest = createHash('sha256').update(seed).digest()
  return [0, 4, 8, 12].map((offset) => digest.readInt32LE(offset))
}

function loadTool(guest: Guest, entry: string): QuickJSHandle {
  const { context } = guest
  const source = sourceOf(guest, entry)
  if (typeof source !== 'string') throw new Failed('tool_invalid', source.error.message)
  const loaded = context.evalCode(source, entry, { type: 'module' })
  if (loaded.error) throw thrown(guest, loaded.error, 'tool_invalid')
  const tool = context.getProp(settle(guest, loaded.value), 'default')
  if (context.typeof(tool) === 'function') return tool
  throw new Failed('tool_invalid', 'it has no function as its default export', { file: entry })
}

/** Only the package's own JavaScript and `enginex:decimal` exist. */
function sourceOf({ files }: Guest, path: string): string | { error: Error } {
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
