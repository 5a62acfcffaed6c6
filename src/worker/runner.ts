import { Worker } from 'node:worker_threads'
import type { TakenRun } from '../db/doors.ts'
import type { Reason } from './hold.ts'
import type { Flight } from './scheduler.ts'
import type { FromThread, ThreadSettings, ToThread } from './thread.ts'

/** Rows and their copies are short-lived: a small young generation keeps the process small. */
const resourceLimits = { maxYoungGenerationSizeMb: 16, maxOldGenerationSizeMb: 1536 }

export interface Runner {
  /** Begins to advance a run. Its `done` rejects when the thread dies: then the run is left to be taken over. */
  start(run: TakenRun): Flight
  /** Ends the thread. Call it when every run is done. */
  close(): Promise<void>
}

interface Thread {
  readonly worker: Worker
  readonly flights: Map<number, PromiseWithResolvers<void>>
  idle: NodeJS.Timeout | undefined
}

/**
 * Advances runs in a thread of their own, so that heartbeats go on while rows are parsed and a run that eats all memory
 * does not end the process. The thread starts with the first run and ends when there was none for `idleMs`, which gives
 * back what it took: an idle worker is small.
 */
export function createRunner(settings: ThreadSettings, idleMs: number): Runner {
  let thread: Thread | undefined
  let last = 0

  const end = () => {
    const { worker } = thread ?? {}
    thread = undefined
    worker?.postMessage({ close: true } satisfies ToThread)
    return worker
  }
  const open = (): Thread => {
    const opened: Thread = {
      worker: new Worker(new URL('./thread.ts', import.meta.url), { workerData: settings, resourceLimits }),
      flights: new Map(),
      idle: undefined,
    }
    const fail = (error: Error) => {
      if (thread === opened) thread = undefined
      for (const flight of opened.flights.values()) flight.reject(error)
      opened.flights.clear()
    }
    opened.worker.on('message', ({ done }: FromThread) => {
      opened.flights.get(done)?.resolve()
      opened.flights.delete(done)
      if (thread === opened && opened.flights.size === 0) opened.idle = setTimeout(end, idleMs)
    })
    opened.worker.on('error', fail)
    opened.worker.on('exit', (code) => fail(new Error(`the thread ended with code ${code}`)))
    return opened
  }
  return {
    start(run) {
      thread ??= open()
      const { worker, flights, idle } = thread
      clearTimeout(idle)
      const id = ++last
      const flight = Promise.withResolvers<void>()
      flights.set(id, flight)
      worker.postMessage({ id, run } satisfies ToThread)
      const ask = (reason: Reason) => {
        if (flights.has(id)) worker.postMessage({ id, ask: reason } satisfies ToThread)
      }
      return { done: flight.promise, ask }
    },
    async close() {
      clearTimeout(thread?.idle)
      const worker = end()
      if (worker) await new Promise((resolve) => worker.once('exit', resolve))
    },
  }
}
