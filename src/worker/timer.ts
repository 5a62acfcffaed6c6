import type { Logger } from 'pino'
import type { Doors, DueTrigger } from '../db/doors.ts'
import { type Job, startJob } from './repeat.ts'

export interface TimerOptions {
  readonly doors: Pick<Doors, 'dueTriggers'>
  /** Fires one if it is still due. Throws only when the database does not answer. */
  readonly fire: (due: DueTrigger) => Promise<void>
  /** How long to wait at most when nothing is due and nothing is heard. */
  readonly pollMs: number
  readonly log: Pick<Logger, 'warn' | 'info'>
}

/** Taken in at once; the door shares them out between tenants. */
const batch = 20
const firedAtOnce = 2

/**
 * Fires timers when they are due. Every worker does, at the same time: which one fires is decided by the lock on the
 * trigger, and when by the database's clock. Between two looks it sleeps until the next one is due.
 */
export function startTimer({ doors, fire, pollMs, log }: TimerOptions): Job {
  let stopping = false
  let alarm: NodeJS.Timeout | undefined

  const work = async () => {
    clearTimeout(alarm)
    const found = await doors.dueTriggers(batch)
    // In any order: two workers with the same list must not wait for each other at every one of it.
    const due = shuffled(found.filter(({ waitMs }) => waitMs === 0))
    const again = due.length > 0
    const next = async () => {
      for (let one = due.pop(); one && !stopping; one = due.pop()) await fire(one)
    }
    await Promise.all(Array.from({ length: firedAtOnce }, next))
    const waitMs = again ? 0 : (found[0]?.waitMs ?? pollMs)
    if (!stopping && waitMs < pollMs) alarm = setTimeout(job.look, waitMs)
  }
  const job = startJob({ name: 'the list of timers', pollMs, log, work })
  return {
    look: job.look,
    async stop() {
      stopping = true
      await job.stop()
      clearTimeout(alarm)
    },
  }
}

function shuffled<T>(list: readonly T[]): T[] {
  const placed = list.map((one) => ({ one, place: Math.random() }))
  return placed.sort((a, b) => a.place - b.place).map(({ one }) => one)
}
