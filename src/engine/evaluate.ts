import type { Condition, Outcome } from './conditions.ts'
import type { Walk } from './walk.ts'
import { charge, workOfCondition } from './work.ts'

/** Whether a condition holds, for whoever reads memory so. Throws with a readable message when it has no answer. */
export function evaluate(walk: Walk, holds: Condition, read: (key: string) => unknown, outcome: Outcome): boolean {
  charge(walk, workOfCondition)
  const none = Object.fromEntries([...walk.plan.nodes.keys()].map((id) => [id, 0]))
  return holds(read, { ...none, ...walk.visits }, outcome)
}
