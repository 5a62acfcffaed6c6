import { createHash } from 'node:crypto'
import { Cron } from 'croner'
import { AppError } from '../../errors.ts'

// When timers are due: a function of schedule and time alone. No clock is read here.

export type Schedule = { readonly everyMinutes: number } | { readonly cron: string; readonly timeZone: string }
export type Misfire = 'skip' | 'fire_once' | 'fire_all'

/** Later than this, a time was missed and the misfire policy says what happens. */
const graceMs = 60_000
/** What `fire_all` makes up for at most; earlier times are given up. */
export const mostCatchUps = 24

/**
 * A cron text of five fields, read as croner does (names, L, W, # and lists included). At a time that the clock skips, a
 * job that names its hours runs when the gap ends; at a time that comes twice, it runs the first time. A job with * or a
 * step in minute or hour runs at every time that there is. Throws input_invalid.
 */
function cronOf({ cron, timeZone }: { cron: string; timeZone: string }): Cron {
  if (!isTimeZone(timeZone)) throw invalid('schedule/timeZone', `there is no time zone ${JSON.stringify(timeZone)}`)
  // croner reads ? as the present time, which is a different one at each start.
  if (cron.includes('?')) throw invalid('schedule/cron', '? is not known here; write *')
  if (cron.trim().split(/\s+/).length !== 5)
    throw invalid('schedule/cron', 'has to have five fields: minute, hour, day, month, weekday')
  try {
    return new Cron(cron, { timezone: timeZone, mode: '5-part', fixedTimeRule: 'no-wildcard', paused: true })
  } catch (error) {
    throw invalid('schedule/cron', (error as Error).message.replace(/^CronPattern: /, ''))
  }
}

/** A name of the IANA database: no offset, which would ignore summer time. */
function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z][\w/+-]*$/.test(name)) return false
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }) !== null
  } catch {
    return false
  }
}

/** Throws input_invalid for text that is no schedule, and for one that never comes. */
export function checkSchedule(schedule: Schedule, now: Date): void {
  if ('cron' in schedule && !nextDue(schedule, now, now)) throw invalid('schedule/cron', 'never comes')
}

/** The first time after `after`; of an interval, one that is whole intervals from `due`. Null when none comes any more. */
export function nextDue(schedule: Schedule, due: Date, after: Date): Date | null {
  if ('cron' in schedule) return cronOf(schedule).nextRun(after)
  const step = schedule.everyMinutes * 60_000
  const steps = Math.max(Math.floor((after.getTime() - due.getTime()) / step) + 1, 1)
  return new Date(due.getTime() + steps * step)
}

/** The time at `due` and the next ones, at most `count`. */
export function upcoming(schedule: Schedule, due: Date, count: number): Date[] {
  const times = [due]
  for (let next = nextDue(schedule, due, due); next && times.length < count; next = nextDue(schedule, next, next))
    times.push(next)
  return times
}

/** What is to be done at `now` about a time that is due: fire for it or give it up, and which time comes next. */
export interface Plan {
  readonly fire: boolean
  readonly next: Date | null
}

/**
 * Applies the misfire policy to a time that may have been missed: `skip` gives up whatever is late, `fire_once` fires
 * once for all that were missed, `fire_all` fires for each of the last 24. `next` is always later than `due`.
 */
export function planFiring(schedule: Schedule, misfire: Misfire, due: Date, jitterMs: number, now: Date): Plan {
  const late = now.getTime() - due.getTime() - jitterMs > graceMs
  const future = () => nextDue(schedule, due, later(due, now))
  if (!late) return { fire: true, next: nextDue(schedule, due, due) }
  if (misfire === 'skip') return { fire: false, next: future() }
  if (misfire === 'fire_once') return { fire: true, next: future() }
  const oldest = oldestCatchUp(schedule, due, now)
  if (oldest > due) return { fire: false, next: oldest }
  return { fire: true, next: nextDue(schedule, due, due) }
}

/** The first of the last 24 times up to `now`, not before `due`. */
function oldestCatchUp(schedule: Schedule, due: Date, now: Date): Date {
  if ('cron' in schedule) {
    const oldest = cronOf(schedule).previousRuns(mostCatchUps, now).at(-1)
    return oldest ? later(due, oldest) : due
  }
  const step = schedule.everyMinutes * 60_000
  const missed = Math.floor((now.getTime() - due.getTime()) / step)
  return new Date(due.getTime() + Math.max(missed - mostCatchUps + 1, 0) * step)
}

/** How much later than `due` the trigger fires: spread over `seconds`, and the same whoever asks. */
export function jitterMs(triggerId: string, due: Date, seconds: number): number {
  const spread = createHash('sha256').update(`${triggerId} ${due.getTime()}`).digest().readUInt32BE() / 2 ** 32
  return Math.floor(spread * seconds * 1000)
}

function later(a: Date, b: Date): Date {
  return a > b ? a : b
}

function invalid(path: string, reason: string): AppError {
  return new AppError('input_invalid', `the schedule is not one: ${reason}`, { faults: [{ path, reason }] })
}
