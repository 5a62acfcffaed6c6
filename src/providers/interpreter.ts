import { readFile } from 'node:fs/promises'
import release from '@jitl/quickjs-wasmfile-release-sync'
import {
  newQuickJSWASMModuleFromVariant,
  newVariant,
  type QuickJSContext,
  type QuickJSHandle,
  type QuickJSRuntime,
  type QuickJSSyncVariant,
} from 'quickjs-emscripten-core'
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
/** What is compared at once to find out which parts of a memory are not empty. */
const sliceBytes = 4096

/** What the host does for one call. Between calls there is none. */
export interface Host {
  /** Whether the tool must stop. */
  isLate(): boolean
  load(path: string): string | { error: Error }
  resolve(from: string, name: string): string
  log(read: () => string): void
}

/** An interpreter in which no tool has run yet: a memory of its own, which cannot grow past its limit. */
export interface Interpreter {
  readonly memoryMb: number
  readonly memory: WebAssembly.Memory
  readonly context: QuickJSContext
  readonly runtime: QuickJSRuntime
  /** Taken before a tool can replace them. */
  readonly own: Readonly<Record<'parse' | 'stringify' | 'globals' | 'emit', QuickJSHandle>>
  host: Host | null
  /** Whether the memory is filled to its limit. */
  isFull(): boolean
  /**
   * Sets every byte of the memory back to what it was before the first tool, so that nothing of this call can reach the
   * next. False when that is impossible, because the memory has grown: then the interpreter must not be used again.
   */
  restore(): boolean
}

export type MakeInterpreter = (memoryMb: number) => Promise<Interpreter>

/** Compiles the interpreter's code once, for as many interpreters as are made of it. */
export async function compileInterpreter(): Promise<MakeInterpreter> {
  const wasm = await readFile(new URL(import.meta.resolve('@jitl/quickjs-wasmfile-release-sync/wasm')))
  const wasmModule = await WebAssembly.compile(wasm)
  return async (memoryMb) => {
    const maximum = Math.max(initialPages, Math.floor((memoryMb * megabyte) / pageBytes))
    const wasmMemory = new WebAssembly.Memory({ initial: initialPages, maximum })
    const module = await newQuickJSWASMModuleFromVariant(newVariant(variant, { wasmModule, wasmMemory }))
    // Never disposed of: whatever goes wrong inside, it goes with its memory.
    const runtime = module.newRuntime({
      maxStackSizeBytes: stackBytes,
      memoryLimitBytes: maximum * pageBytes - reservedBytes,
    })
    const context = runtime.newContext()
    // What the library keeps on this side must be made before the picture is taken: it would point into nothing after.
    const interpreter: Omit<Interpreter, 'restore'> = {
      memoryMb,
      memory: wasmMemory,
      context,
      runtime,
      own: takeOwn(context, (read) => interpreter.host?.log(read)),
      host: null,
      isFull: () => wasmMemory.buffer.byteLength >= maximum * pageBytes - megabyte,
    }
    runtime.setInterruptHandler(() => interpreter.host?.isLate() ?? true)
    runtime.setModuleLoader(
      (path) => interpreter.host?.load(path) ?? { error: new Error('no tool runs') },
      (from, name) => interpreter.host?.resolve(from, name) ?? name,
    )
    const picture = takePicture(wasmMemory)
    return Object.assign(interpreter, { restore: () => putBack(wasmMemory, picture) })
  }
}

function takeOwn(context: QuickJSContext, log: Host['log']): Interpreter['own'] {
  const json = context.getProp(context.global, 'JSON')
  const emit = context.newFunction('emit', (line) => {
    if (context.typeof(line) === 'string') log(() => context.getString(line))
  })
  return {
    parse: context.getProp(json, 'parse'),
    stringify: context.getProp(json, 'stringify'),
    globals: context.unwrapResult(context.evalCode(globalsSource, 'enginex:globals')),
    emit,
  }
}

interface Slice {
  readonly at: number
  readonly bytes: Uint8Array
}

/** Those parts of the memory that are not empty. */
function takePicture({ buffer }: WebAssembly.Memory): Slice[] {
  const empty = Buffer.alloc(sliceBytes)
  const slices: Slice[] = []
  for (let at = 0; at < buffer.byteLength; at += sliceBytes) {
    const bytes = new Uint8Array(buffer, at, sliceBytes)
    if (!empty.equals(bytes)) slices.push({ at, bytes: bytes.slice() })
  }
  return slices
}

function putBack({ buffer }: WebAssembly.Memory, picture: readonly Slice[]): boolean {
  if (buffer.byteLength !== initialPages * pageBytes) return false
  const memory = new Uint8Array(buffer)
  memory.fill(0)
  for (const { at, bytes } of picture) memory.set(bytes, at)
  return true
}
