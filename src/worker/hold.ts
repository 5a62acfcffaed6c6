import type { TakenRun } from '../db/doors.ts'

/**
 * Why a worker lets go of a run that is not done, the stronger reason later: its time slice is over and others wait ·
 * the worker shuts down · a person paused the run · a person cancelled it · another worker has taken it.
 */
const reasons = ['yield', 'handover', 'pause', 'cancel', 'lost'] as const
export type Reason = (typeof reasons)[number]

/** A run in the hands of this worker. */
export interface Hold {
  readonly run: TakenRun
  /** The strongest reason to let go that was given so far. Asks for the next checkpoint; starts nothing new. */
  readonly asked: Reason | null
  /** Aborted when effects that are under way must end as well. */
  readonly signal: AbortSignal
  ask(reason: Reason): void
  /** Says that people may have answered a question of the run. */
  answered(): void
  /** Resolves at such a word; at once when one came since `heard`. */
  answers(): Promise<'answers'>
  /** Says that the answers are about to be read: a word that comes from now on is a new one. */
  heard(): void
}

/**
 * Takes hold of a run. `cancel` and `lost` end its effects at once; the gentle reasons let them finish, so that no work
 * is done twice: after `yield` as long as they like, else for `graceMs`.
 */
export function holdRun(run: TakenRun, graceMs: number): Hold {
  const controller = new AbortController()
  let asked: Reason | null = null
  let word = Promise.withResolvers<'answers'>()
  return {
    run,
    signal: controller.signal,
    get asked() {
      return asked
    },
    ask(reason) {
      if (asked && reasons.indexOf(reason) <= reasons.indexOf(asked)) return
      asked = reason
      if (reason === 'cancel' || reason === 'lost') controller.abort()
      else if (reason !== 'yield') setTimeout(() => controller.abort(), graceMs).unref()
    },
    answered: () => word.resolve('answers'),
    answers: () => word.promise,
    heard() {
      word = Promise.withResolvers<'answers'>()
    },
  }
}
