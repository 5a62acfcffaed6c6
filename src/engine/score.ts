import { evaluate } from './evaluate.ts'
import type { Failure, Memory } from './machine.ts'
import { readAt } from './memory.ts'
import type { Plan } from './plan.ts'
import type { Walk } from './walk.ts'

/** How far one criterion of the goal was met: 0 to 1, or null and why it could not be told. */
export interface CriterionScore {
  readonly id: string
  readonly score: number | null
  readonly error?: Failure
}

/** What a model said of each criterion that has no expression, or why it said nothing. */
export type Judged = { readonly scores: Memory } | { readonly error: Failure }

export function scoresOf(walk: Walk, outcome: 'completed' | 'rejected', judged: Judged): CriterionScore[] {
  const result = { ok: outcome === 'completed', error: null }
  return walk.plan.criteria.map(({ criterion: { id }, holds }) => {
    if (!holds)
      return 'error' in judged ? { id, score: null, error: judged.error } : { id, score: Number(judged.scores[id]) }
    try {
      const met = evaluate(walk, holds, (key) => readAt(walk, undefined, key), result)
      return { id, score: met ? 1 : 0 }
    } catch (error) {
      const message = `its expression has no answer: ${error instanceof Error ? error.message : String(error)}`
      return { id, score: null, error: { code: 'condition_failed', message } }
    }
  })
}

/** By weight; null when one of them is missing, since a score over fewer criteria would mean something else. */
export function totalOf({ criteria }: Plan, scores: readonly CriterionScore[]): number | null {
  const weights = criteria.reduce((sum, { criterion }) => sum + criterion.weight, 0)
  if (weights === 0 || scores.some(({ score }) => score === null)) return null
  const reached = criteria.reduce((sum, { criterion }, at) => sum + criterion.weight * (scores[at]?.score ?? 0), 0)
  return Math.round((reached / weights) * 10_000) / 10_000
}
