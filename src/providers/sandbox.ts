import { once } from 'node:events'
import type { Worker } from 'node:worker_threads'
import { createThreads } from './sandbox-threads.ts'

export interface SandboxRequest {
  /** On whose behalf: one holder's tools never take all threads, where there are several. */
  readonly holder?: string
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
/** After these a thread may hold a memory filled to its limit, which only its end gives back at once. */
const exhausting = new Set<SandboxFailure['code']>(['tool_timeout', 'tool_memory', 'tool_output_too_large'])

/**
 * Runs strangers' tools, at most `threads` at a time; the others wait their turn. Threads start when needed and go when
 * idle. Each call gets a new interpreter with memory of its own, so nothing stays from one to the next.
 */
export function createSandbox({ threads: most, idleMs = 10_000 }: { threads: number; idleMs?: number }): Sandbox {
  const closing = new AbortController()
  const threads = createThreads(most, idleMs)
  return {
    async run(request, outer) {
      const signal = AbortSignal.any([closing.signal, ...(outer ? [outer] : [])])
      const holder = request.holder ?? ''
      const thread = await threads.take(holder, signal)
      let usable = false
      try {
        const result = await perform(thread, request, signal)
        usable = result.ok || !exhausting.has(result.error.code)
        return result.ok ? { ...result, output: JSON.parse(result.output) } : result
      } finally {
        threads.give(holder, thread, usable)
      }
    },
    async close() {
      closing.abort(new Error('the sandbox is closed'))
      await threads.end()
    },
  }
}

async function perform(thread: Worker, request: SandboxRequest, signal: AbortSignal): Promise<ThreadResult> {
  const { timeoutMs } = request.limits
  const deadline = AbortSignal.timeout(timeoutMs + graceMs)
  try {
    const task: ThreadRequest = { ...request, input: JSON.stringify(request.input ?? null) }
    thread.postMessage(task)
    const [result] = await once(thread, 'message', { signal: AbortSignal.any([signal, deadline]) })
    return result
  } catch (error) {
    signal.throwIfAborted()
    if (deadline.aborted) return failed('tool_timeout', `it ran longer than ${timeoutMs} ms`)
    if ((error as NodeJS.ErrnoException).code !== 'ERR_WORKER_OUT_OF_MEMORY') throw error
    return failed('tool_memory', 'its input and output need too much memory')
  }
}

function failed(code: SandboxFailure['code'], message: string): ThreadResult {
  return { ok: false, error: { code, message }, logs: [] }
}
