import type { Logger } from 'pino'
import type { Doors } from '../db/doors.ts'
import { type Hold, holdRun } from './hold.ts'

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
  /** How long effects may go on after a pause or a shutdown was asked for. */
  readonly graceMs: number
  /** While every slot is in use, a run that has had one for this long goes to the end of the queue at its next checkpoint. */
  readonly sliceMs: number
  /** Advances one run until it ends, waits, or is let go. */
  readonly advance: (hold: Hold) => Promise<void>
  readonly log: Pick<Logger, 'error' | 'warn' | 'info'>
}

export interface Scheduler {
  /** Runs in hand now. */
  readonly held: number
  /** Looks for runs now. Cheap to call often. */
  look(): void
  /** Asks now, not at the next beat, what people want of the runs in hand. */
  heed(): void
  /** Takes nothing more, lets go of every run at its next checkpoint, and resolves when the last one is gone. */
  stop(): Promise<void>
}

/**
 * Keeps up to `slots` runs in hand: takes them through the door that grants slots, keeps them alive, passes on what
 * people ask of them. The database being away is waited out; runs lost meanwhile are let go of at the next beat.
 */
export function startScheduler(options: SchedulerOptions): Scheduler {
  const { doors, workerId, slots, silentMs, graceMs, advance } = options
  const holds = new Map<Hold, Promise<void>>()
  const ripe = new Set<Hold>()
  let stopping = false

  const start = (hold: Hold) => {
    const slice = setTimeout(() => ripe.add(hold), options.sliceMs)
    const done = advance(hold)
      .catch((err) => options.log.error({ err, runId: hold.run.runId }, 'a run was dropped'))
      .finally(() => {
        clearTimeout(slice)
        ripe.delete(hold)
        holds.delete(hold)
        take()
      })
    holds.set(hold, done)
  }

  const take = oneAtATime(options.log, async () => {
    const free = slots - holds.size
    if (free <= 0) for (const hold of ripe) hold.ask('yield')
    if (stopping || free <= 0) return
    for (const run of await doors.takeRuns(workerId, free, silentMs)) {
      for (const hold of holds.keys()) if (hold.run.runId === run.runId) hold.ask('lost') // taken back from itself
      const hold = holdRun(run, graceMs)
      if (stopping) hold.ask('handover') // taken while the shutdown began
      start(hold)
    }
  })

  const beat = oneAtATime(options.log, async () => {
    const held = [...holds.keys()]
    if (held.length === 0) return
    const alive = await doors.beatRuns(held.map((hold) => hold.run))
    for (const hold of held) {
      const requested = alive.get(hold.run.runId)
      if (requested === undefined) hold.ask('lost')
      else if (requested) hold.ask(requested)
    }
  })

  const timers = [setInterval(take, options.pollMs), setInterval(beat, options.beatMs)]
  take()
  return {
    get held() {
      return holds.size
    },
    look: take,
    heed: beat,
    async stop() {
      stopping = true
      await take.idle()
      for (const hold of holds.keys()) hold.ask('handover')
      while (holds.size > 0) await Promise.all(holds.values())
      for (const timer of timers) clearInterval(timer)
      await beat.idle()
    },
  }
}

/** Calls that come while one is under way become one more, after it. A failure is logged when it begins and when it ends. */
function oneAtATime(log: SchedulerOptions['log'], work: () => Promise<void>) {
  let running: Promise<void> | undefined
  let again = false
  let failing = false
  const loop = async () => {
    do {
      again = false
      try {
        await work()
        if (failing) log.info('the queue answers again')
        failing = false
      } catch (err) {
        if (!failing) log.warn({ err }, 'the queue does not answer; trying again')
        failing = true
      }
    } while (again)
    running = undefined
  }
  const call = () => {
    if (running) again = true
    else running = loop()
  }
  return Object.assign(call, { idle: async () => await running })
}
