import type { Logger } from 'pino'
import type { Doors, TakenRun } from '../db/doors.ts'
import type { Reason } from './hold.ts'
import { oneAtATime } from './repeat.ts'

/** A run that is being advanced. */
export interface Flight {
  /** Resolves when the run has ended, waits, or was let go. */
  readonly done: Promise<void>
  /** Asks to let go of it. */
  ask(reason: Reason): void
  /** Says that people may have answered one of its questions. */
  answered(): void
}

export interface SchedulerOptions {
  readonly doors: Pick<Doors, 'takeRuns' | 'beatRuns'>
  readonly workerId: string
  /** Runs held at once. */
  readonly slots: number
  /** How often to look for runs when no notification comes. */
  readonly pollMs: number
  /** How often to say that the held runs are alive. Several must fit into `silentMs`. */
  readonly beatMs: number
  /** A run whose worker was silent for this long is taken over. */
  readonly silentMs: number
  /** While every slot is in use, a run that has had one for this long goes to the end of the queue at its next checkpoint. */
  readonly sliceMs: number
  /** Begins to advance a run. */
  readonly start: (run: TakenRun) => Flight
  readonly log: Pick<Logger, 'error' | 'warn' | 'info'>
}

export interface Scheduler {
  /** Runs in hand now. */
  readonly held: number
  /** Looks for runs now. Cheap to call often. */
  look(): void
  /** Asks now, not at the next beat, what people want of the runs in hand. */
  heed(): void
  /** Passes on that people of this tenant have answered something. */
  answered(tenantId: string): void
  /** Takes nothing more, lets go of every run at its next checkpoint, and resolves when the last one is gone. */
  stop(): Promise<void>
}

interface Held {
  readonly run: TakenRun
  readonly flight: Flight
  /** Its time slice is over. */
  ripe: boolean
}

/**
 * Keeps up to `slots` runs in hand: takes them through the door that grants slots, keeps them alive, passes on what
 * people ask of them. The database being away is waited out; runs lost meanwhile are let go of at the next beat.
 */
export function startScheduler(options: SchedulerOptions): Scheduler {
  const { doors, workerId, slots, silentMs } = options
  const held = new Set<Held>()
  let stopping = false

  const begin = (run: TakenRun) => {
    const flight = options.start(run)
    const one: Held = { run, flight, ripe: false }
    held.add(one)
    const slice = setTimeout(() => {
      one.ripe = true
    }, options.sliceMs)
    if (stopping) flight.ask('handover') // taken while the shutdown began
    flight.done
      .catch((err) => options.log.error({ err, runId: run.runId }, 'a run was dropped'))
      .finally(() => {
        clearTimeout(slice)
        held.delete(one)
        take()
      })
  }

  const take = oneAtATime(options.log, 'the queue', async () => {
    const free = slots - held.size
    if (free <= 0) for (const { ripe, flight } of held) if (ripe) flight.ask('yield')
    if (stopping || free <= 0) return
    for (const run of await doors.takeRuns(workerId, free, silentMs)) {
      for (const one of held) if (one.run.runId === run.runId) one.flight.ask('lost') // taken back from itself
      begin(run)
    }
  })

  const beat = oneAtATime(options.log, 'the queue', async () => {
    const asked = [...held]
    if (asked.length === 0) return
    pass(asked, await doors.beatRuns(asked.map(({ run }) => run)))
  })

  const timers = [setInterval(take, options.pollMs), setInterval(beat, options.beatMs)]
  take()
  return {
    get held() {
      return held.size
    },
    look: take,
    heed: beat,
    answered(tenantId) {
      for (const { run, flight } of held) if (run.tenantId === tenantId) flight.answered()
    },
    async stop() {
      stopping = true
      await take.idle()
      for (const { flight } of held) flight.ask('handover')
      while (held.size > 0) await Promise.allSettled([...held].map(({ flight }) => flight.done))
      for (const timer of timers) clearInterval(timer)
      await beat.idle()
    },
  }
}

/** Tells each flight what is wanted of its run; one that the database does not know as ours is lost. */
function pass(asked: readonly Held[], alive: ReadonlyMap<string, 'pause' | 'cancel' | null>): void {
  for (const { run, flight } of asked) {
    const requested = alive.get(run.runId)
    if (requested === undefined) flight.ask('lost')
    else if (requested) flight.ask(requested)
    else flight.answered() // should the word of an answer have been lost
  }
}
