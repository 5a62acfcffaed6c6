import { abandon, enterPhase } from './activations.ts'
import type { Failure } from './machine.ts'
import { merge } from './merge.ts'
import { type Judged, scoresOf, totalOf } from './score.ts'
import { endRun, type Walk } from './walk.ts'

/** How one way through the graph ends, short of a join. */
export interface Ending {
  readonly status: 'completed' | 'rejected' | 'failed'
  readonly error?: Failure
  /** Whether it was not meant to end here: a failure, or a person's no, that no edge takes. */
  readonly abrupt: boolean
}

const tokensUsedUp = { code: 'token_limit', message: 'the tokens of the run are used up' }

/** Ends the run; one that did not fail is scored first. */
export function finishRun(walk: Walk, { status, error }: Ending): void {
  const { criteria } = walk.plan
  if (status === 'failed') endRun(walk, status, error)
  else if (criteria.length === 0) endRun(walk, status)
  else if (criteria.every(({ holds }) => holds)) endScored(walk, status, { scores: {} })
  else if (!walk.last || tokensLeft(walk) <= 0) endScored(walk, status, { error: tokensUsedUp })
  else {
    const { place: _, ...last } = walk.last
    enterPhase(walk, last, { kind: 'score', outcome: status })
  }
}

/** Ends a run that has come to its end, with its score. `judged` is what a model said of each criterion, or its failure. */
export function endScored(walk: Walk, outcome: 'completed' | 'rejected', judged: Judged): void {
  const criteria = scoresOf(walk, outcome, judged)
  walk.score = totalOf(walk.plan, criteria)
  walk.events.push({ type: 'goal_scored', nodeId: null, data: { score: walk.score, criteria } })
  endRun(walk, outcome)
}

/** Ends a run from outside, since its time is over. */
export function endByDeadline(walk: Walk): void {
  const scoring = walk.activations.find(({ phase }) => phase?.kind === 'score')?.phase
  const most = walk.plan.manifest.graph.loopConfig?.maxWallTimeMs
  const error = { code: 'time_limit', message: `the run was worked on for ${most ?? 'too many'} milliseconds` }
  if (scoring?.kind === 'score') endScored(walk, scoring.outcome, { error })
  else endRun(walk, 'failed', error)
}

/** Once the end is decided: nothing is left under way, and memory is put together. */
export function conclude(walk: Walk): void {
  if (!walk.end) return
  for (const activation of walk.activations) abandon(walk, activation)
  for (const { step } of walk.forks.toReversed()) merge(walk, step)
  const { status, error } = walk.end
  const type = status === 'failed' ? 'execution_failed' : 'execution_completed'
  walk.events.push({ type, nodeId: null, data: error ? { error } : { outcome: status } })
}

export function tokensLeft({ used, plan }: Walk): number {
  return plan.limits.maxTokens - used.inputTokens - used.outputTokens
}
