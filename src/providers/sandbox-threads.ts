import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

/** A thread's own heap, beside the memory of the tool: it holds the input and the output as text. */
const resourceLimits = { maxOldGenerationSizeMb: 192, maxYoungGenerationSizeMb: 16 }

export interface Threads {
  /**
   * In the order of asking, when fewer than the most are taken and the holder leaves one to others. Throws the signal's
   * reason when it is aborted first.
   */
  take(holder: string, signal: AbortSignal): Promise<Worker>
  /** Every thread that was taken comes back; one that is not usable any more is killed. */
  give(holder: string, thread: Worker, usable: boolean): void
  /** Kills them all. */
  end(): Promise<void>
}

/** At most so many threads for tools, started when needed, gone after `idleMs` without work. */
export function createThreads(most: number, idleMs: number): Threads {
  const turns = createTurns(most)
  const live = new Set<Worker>()
  const idle = new Map<Worker, NodeJS.Timeout>()

  async function start(signal: AbortSignal): Promise<Worker> {
    // An empty environment and no flags: a thread has nothing that a tool could want to find.
    const options = { env: {}, execArgv: [], resourceLimits, stdout: true, stderr: true }
    const thread = new Worker(new URL('./sandbox-thread.ts', import.meta.url), options)
    live.add(thread)
    thread.once('exit', () => live.delete(thread) && idle.delete(thread))
    thread.on('error', () => thread.terminate())
    try {
      await once(thread, 'message', { signal })
      return thread
    } catch (error) {
      void thread.terminate()
      throw signal.aborted ? signal.reason : error
    }
  }

  return {
    async take(holder, signal) {
      await turns.take(holder, signal)
      try {
        const [thread, retirement] = [...idle].at(-1) ?? [await start(signal), undefined]
        clearTimeout(retirement)
        idle.delete(thread)
        thread.ref()
        return thread
      } catch (error) {
        turns.pass(holder)
        throw error
      }
    },
    give(holder, thread, usable) {
      turns.pass(holder)
      if (!usable || !live.has(thread)) return void thread.terminate()
      thread.unref()
      idle.set(thread, setTimeout(() => idle.delete(thread) && thread.terminate(), idleMs).unref())
    },
    async end() {
      await Promise.all([...live].map((thread) => thread.terminate()))
    },
  }
}

/** Lets `count` callers go on at a time, in the order they came, but never those of one holder alone. */
function createTurns(count: number) {
  const share = Math.max(count - 1, 1)
  const held = new Map<string, number>()
  const waiting: { readonly holder: string; readonly begin: () => void }[] = []
  let free = count
  const heldBy = (holder: string) => held.get(holder) ?? 0
  const may = (holder: string) => free > 0 && heldBy(holder) < share
  const move = (holder: string, by: 1 | -1) => {
    free -= by
    if (heldBy(holder) + by === 0) held.delete(holder)
    else held.set(holder, heldBy(holder) + by)
  }
  return {
    async take(holder: string, signal: AbortSignal): Promise<void> {
      signal.throwIfAborted()
      if (may(holder)) return move(holder, 1)
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const one = { holder, begin: resolve }
      const leave = () => {
        const place = waiting.indexOf(one)
        if (place >= 0) waiting.splice(place, 1)
        reject(signal.reason)
      }
      waiting.push(one)
      signal.addEventListener('abort', leave, { once: true })
      await promise.finally(() => signal.removeEventListener('abort', leave))
    },
    pass(holder: string): void {
      move(holder, -1)
      const next = waiting.findIndex((one) => may(one.holder))
      if (next === -1) return
      const [one] = waiting.splice(next, 1)
      move(one!.holder, 1)
      one!.begin()
    },
  }
}
