import { weigh } from './limit-value.ts'
import type { Memory } from './machine.ts'
import type { CheckValue } from './values.ts'
import { endRun, type Walk } from './walk.ts'

// A transition cannot be interrupted, and others wait while it computes: so it has a budget. One unit is one part of a
// schema looked at for one part of a value; some millions of them take a tenth of a second.

const maxWork = 400_000_000
/** For the bookkeeping of one attempt, however small. */
const workOfAttempt = 400_000
/** An expression with a loop may look at this much. */
export const workOfCondition = 800_000
/** For each fork in which a key is looked for. */
export const workOfFork = 20
/** For each part of its inputs that an attempt writes into a conversation. */
const workPerPart = 50

export function charge(walk: Walk, units: number): void {
  walk.work += units
}

/** What beginning an attempt costs, besides what is checked meanwhile. */
export function chargeAttempt(walk: Walk, inputs: Memory): void {
  charge(walk, workOfAttempt + workPerPart * weigh(inputs, maxWork / workPerPart))
}

/** A check of values that counts how much it looks at. */
export function counted(walk: Walk, check: CheckValue): CheckValue {
  return (schema, value) => {
    charge(walk, weigh(schema, maxWork) * weigh(value, maxWork))
    return check(schema, value)
  }
}

/** Ends a run that computes on and on without ever calling anything. False when it was ended. */
export function withinBudget(walk: Walk, nodeId: string): boolean {
  if (walk.work <= maxWork) return true
  const message = `the run computed too much at once, without calling anything in between, up to "${nodeId}"`
  endRun(walk, 'failed', { code: 'no_progress', message })
  return false
}
