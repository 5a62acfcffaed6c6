import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

export interface SandboxRequest {
  /** The package's text files by path; only its `.js` files can be imported. */
  readonly files: Readonly<Record<string, string>>
  /** Such as `tools/fetch.js`: a module whose default export is `(input, context) => output`. */
  readonly entry: string
  readonly input: unknown
  /** With it Math.random is the same for the same seed. */
  readonly seed?: string
  /** ISO 8601. With it the tool's clock stands still at this time. */
  readonly now?: string
  readonly limits: { readonly timeoutMs: number; readonly memoryMb: number; readonly outputBytes: number }
}

export interface SandboxFailure {
  readonly code: 'tool_threw' | 'tool_timeout' | 'tool_memory' | 'tool_output_too_large' | 'tool_invalid'
  readonly message: string
  /** Where in the package, when it is known. */
  readonly file?: string
  readonly line?: number
}

/** `logs` are the lines the tool wrote to its console, as many as were kept. */
export type SandboxResult =
  | { readonly ok: true; readonly output: unknown; readonly logs: readonly string[] }
  | { readonly ok: false; readonly error: SandboxFailure; readonly logs: readonly string[] }

export interface Sandbox {
  /** Whatever a tool does comes back as a result; rejects only when the signal is aborted or the sandbox is closed. */
  run(request: SandboxRequest, signal?: AbortSignal): Promise<SandboxResult>
  close(): Promise<void>
}

/** What a thread is sent and answers: JSON as text, so that nothing else crosses. */
export type ThreadRequest = Omit<SandboxRequest, 'input'> & { readonly input: string }
export type ThreadResult =
  | { readonly ok: true; readonly output: string; readonly logs: readonly string[] }
  | { readonly ok: false; readonly error: SandboxFailure; readonly logs: readonly string[] }

/** How far a tool that cannot be interrupted may overrun its time before its thread is killed. */
const graceMs = 1000
/** A thread's own heap, beside the memory of the tool: it holds the input and the output as text. */
const resourceLimits = { maxOldGenerationSizeMb: 192, maxYoungGenerationSizeMb: 16 }
/** After these a thread may hold a memory filled to its limit, which only its end gives back at once. */
const exhausting = new Set<SandboxFailure['code']>(['tool_timeout', 'tool_memory', 'tool_output_too_large'])

/**
 * Runs strangers' tools, at most `threads` at a time; the others wait their turn. Threads start when needed and go when
 * idle. Each call gets a new interpreter with memory of its own, so nothing stays from one to the next.
 */
export function createSandbox({ threads, idleMs = 10_000 }: { threads: number; idleMs?: number }): Sandbox {
  const turns = createTurns(threads)
  const closing = new AbortController()
  const live = new Set<Worker>()
  const idle: Worker[] = []
  const retirement = new WeakMap<Worker, NodeJS.Timeout>()

  async function start(): Promise<Worker> {
    closing.signal.throwIfAborted()
    // An empty environment and no flags: a thread has nothing that a tool could want to find.
    const options = { env: {}, execArgv: [], resourceLimits, stdout: true, stderr: true }
    const worker = new Worker(new URL('./sandbox-thread.ts', import.meta.url), options)
    live.add(worker)
    worker.once('exit', () => live.delete(worker) && remove(idle, worker))
    worker.on('error', () => worker.terminate())
    await once(worker, 'message', { signal: closing.signal })
    return worker
  }

  function keep(worker: Worker): void {
    worker.unref()
    idle.push(worker)
    retirement.set(worker, setTimeout(() => remove(idle, worker) && worker.terminate(), idleMs).unref())
  }

  async function perform(worker: Worker, request: ThreadRequest, signal: AbortSignal): Promise<ThreadResult> {
    const deadline = AbortSignal.timeout(request.limits.timeoutMs + graceMs)
    try {
      clearTimeout(retirement.get(worker))
      worker.ref()
      worker.postMessage(request)
      const [answer] = await once(worker, 'message', { signal: AbortSignal.any([signal, deadline]) })
      const result: ThreadResult = answer
      if (!result.ok && exhausting.has(result.error.code)) void worker.terminate()
      else keep(worker)
      return result
    } catch (error) {
      void worker.terminate()
      if (signal.aborted) throw error
      if (deadline.aborted) return failed('tool_timeout', `it ran longer than ${request.limits.timeoutMs} ms`)
      if ((error as NodeJS.ErrnoException).code !== 'ERR_WORKER_OUT_OF_MEMORY') throw error
      return failed('tool_memory', 'its input and output need too much memory')
    }
  }

  return {
    async run(request, outer) {
      const signal = AbortSignal.any([closing.signal, ...(outer ? [outer] : [])])
      await turns.take(signal)
      try {
        const result = await perform(idle.pop() ?? (await start()), toThread(request), signal)
        return result.ok ? { ...result, output: JSON.parse(result.output) } : result
      } catch (error) {
        throw signal.aborted ? signal.reason : error
      } finally {
        turns.pass()
      }
    },
    async close() {
      closing.abort(new Error('the sandbox is closed'))
      await Promise.all([...live].map((worker) => worker.terminate()))
    },
  }
}

function toThread(request: SandboxRequest): ThreadRequest {
  return { ...request, input: JSON.stringify(request.input ?? null) }
}

function failed(code: SandboxFailure['code'], message: string): ThreadResult {
  return { ok: false, error: { code, message }, logs: [] }
}

/** Lets `count` callers go on at a time, in the order they came. */
function createTurns(count: number) {
  const waiting: (() => void)[] = []
  let free = count
  return {
    async take(signal: AbortSignal): Promise<void> {
      signal.throwIfAborted()
      if (free > 0) {
        free--
        return
      }
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const leave = () => remove(waiting, resolve) && reject(signal.reason)
      waiting.push(resolve)
      signal.addEventListener('abort', leave, { once: true })
      await promise.finally(() => signal.removeEventListener('abort', leave))
    },
    pass(): void {
      const next = waiting.shift()
      if (next) next()
      else free++
    },
  }
}

function remove<T>(list: T[], item: T): boolean {
  const index = list.indexOf(item)
  if (index >= 0) list.splice(index, 1)
  return index >= 0
}
