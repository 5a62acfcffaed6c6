import { type ChildProcess, fork } from 'node:child_process'
import type { TakenRun } from '../db/doors.ts'
import type { ChildSettings, FromChild, ToChild } from './child.ts'
import type { Reason } from './hold.ts'
import type { Flight } from './scheduler.ts'

/** Rows and their copies live short: a small young generation keeps the process small. */
const execArgv = ['--max-semi-space-size=8', '--max-old-space-size=1536']

/** A run whose workers fell silent this often at one step goes on alone: should it take its process along, no other goes with it. */
const aloneAfter = 2

/** A process that leaves so many pings unanswered is held up, and with it every run that it holds: it is ended. */
const mostUnanswered = 6

export interface Runner {
  /** Begins to advance a run. Its `done` rejects when the child dies: then the run is left to be taken over. */
  start(run: TakenRun): Flight
  /** Ends every process. Call it when every run is done. */
  close(): Promise<void>
}

interface Child {
  readonly process: ChildProcess
  readonly flights: Map<number, PromiseWithResolvers<void>>
  /** Resolves when the process has ended, or could not begin. */
  readonly gone: Promise<void>
  idle: NodeJS.Timeout | undefined
}

/**
 * Advances runs in a process of their own, so that heartbeats go on while rows are parsed, and a run that eats all
 * memory ends that process alone. It starts with the first run and ends when there was none for `idleMs`, with all that
 * it took: an idle worker is small.
 */
export function createRunner(settings: ChildSettings, idleMs: number, pingMs = 10_000): Runner {
  let shared: Child | undefined
  let last = 0
  const live = new Set<Child>()

  const end = (child: Child) => {
    if (shared === child) shared = undefined
    clearTimeout(child.idle)
    send(child.process, { close: true })
  }
  const open = (afterMs: number) => {
    const opened = openChild(settings, pingMs, () => {
      opened.idle = setTimeout(end, afterMs, opened)
    })
    live.add(opened)
    void opened.gone.then(() => {
      live.delete(opened)
      clearTimeout(opened.idle)
      if (shared === opened) shared = undefined
    })
    return opened
  }
  const forAll = () => {
    shared ??= open(idleMs)
    return shared
  }
  return {
    start(run) {
      const child = run.takeovers >= aloneAfter ? open(0) : forAll()
      const { process, flights, idle } = child
      clearTimeout(idle)
      const id = ++last
      const flight = Promise.withResolvers<void>()
      flights.set(id, flight)
      send(process, { id, run })
      const ask = (reason: Reason) => {
        if (flights.has(id)) send(process, { id, ask: reason })
      }
      const answered = () => {
        if (flights.has(id)) send(process, { id, answered: true })
      }
      return { done: flight.promise, ask, answered }
    },
    async close() {
      for (const child of live) end(child)
      await Promise.all([...live].map(({ gone }) => gone))
    },
  }
}

function openChild(settings: ChildSettings, pingMs: number, onIdle: () => void): Child {
  const process = fork(new URL('./child.ts', import.meta.url), { execArgv })
  const flights: Child['flights'] = new Map()
  let unanswered = 0
  process.on('message', (message: FromChild) => {
    unanswered = 0
    if (!('done' in message)) return
    flights.get(message.done)?.resolve()
    flights.delete(message.done)
    if (flights.size === 0) onIdle()
  })
  // Counted, not timed: a worker that was itself suspended must not blame its child.
  const watch = setInterval(() => {
    unanswered += 1
    if (unanswered > mostUnanswered) process.kill('SIGKILL')
    else send(process, { ping: true })
  }, pingMs)
  const gone = new Promise<void>((resolve) => {
    const fail = (error: Error) => {
      clearInterval(watch)
      for (const flight of flights.values()) flight.reject(error)
      flights.clear()
      resolve()
    }
    process.on('error', fail) // it could not begin, as when there are too many processes: then it has no exit
    process.once('exit', (code, signal) => fail(new Error(`the process of the runs ended with ${signal ?? code}`)))
  })
  send(process, { settings })
  return { process, flights, gone, idle: undefined }
}

function send(process: ChildProcess, message: ToChild): void {
  process.send(message, () => undefined) // a child that is gone has said so by its exit
}
