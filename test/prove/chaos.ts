import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { WorkerProcess } from '../support/worker-process.ts'

export interface ChaosOptions {
  readonly seed: number
  /** Least and most time between two disturbances, and for how long a process is stopped. */
  readonly pauseMs: readonly [number, number]
  readonly stopMs: readonly [number, number]
  readonly start: () => Promise<WorkerProcess>
  /** Cuts every connection to the database off. */
  readonly cutDatabase: (kind: 'SIGINT' | 'SIGQUIT') => Promise<void>
  readonly log: (text: string) => void
}

/** The same numbers for the same seed (mulberry32), 0 to 1. */
export function chance(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

const deeds = ['kill', 'killRuns', 'stop', 'stopWhole', 'drain', 'restart', 'crash'] as const
type Deed = (typeof deeds)[number]

/**
 * Disturbs two workers and their database until `end` resolves: kill -9 of a worker with its runs' process or of that
 * process alone, SIGSTOP and later SIGCONT, SIGTERM, an orderly and a disorderly end of PostgreSQL. Whoever ends is
 * replaced. @returns how often each was done, and how draining workers ended
 */
export async function disturb(workers: WorkerProcess[], options: ChaosOptions, isOver: () => boolean) {
  const random = chance(options.seed)
  const between = ([least, most]: readonly [number, number]) => least + random() * (most - least)
  const counts = Object.fromEntries(deeds.map((deed) => [deed, 0])) as Record<Deed, number>
  const drains: { readonly code: number | null; readonly ms: number }[] = []
  const resumed: Promise<void>[] = []
  const replace = async (place: number) => {
    workers[place] = await options.start()
  }
  while (!isOver()) {
    await delay(between(options.pauseMs))
    const deed = deeds[Math.floor(random() * deeds.length)]!
    const place = random() < 0.5 ? 0 : 1
    const worker = workers[place]!
    counts[deed] += 1
    options.log(deed === 'restart' || deed === 'crash' ? deed : `${deed} of worker ${place}`)
    if (deed === 'restart' || deed === 'crash') await options.cutDatabase(deed === 'restart' ? 'SIGINT' : 'SIGQUIT')
    else if (deed === 'killRuns') killChildren(worker.pid)
    else if (deed === 'kill') {
      worker.signal('SIGKILL', true)
      await worker.exited
      await replace(place)
    } else if (deed === 'drain') {
      const started = performance.now()
      worker.signal('SIGCONT', true)
      worker.signal('SIGTERM')
      const { code } = await worker.exited
      drains.push({ code, ms: Math.round(performance.now() - started) })
      await replace(place)
    } else {
      worker.signal('SIGSTOP', deed === 'stopWhole')
      resumed.push(delay(between(options.stopMs)).then(() => worker.signal('SIGCONT', true)))
    }
  }
  await Promise.all(resumed)
  return { counts, drains }
}

/** Kills the processes that the worker started, not the worker. */
function killChildren(pid: number): void {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean)
  for (const child of children) process.kill(Number(child), 'SIGKILL')
}
