import type { TenantQueries } from '../db/queries.ts'
import type { Effect, Input } from '../engine/machine.ts'
import { askApproval, decisionsOf, withdrawApprovals } from '../features/approvals/service.ts'
import type { RunKey } from '../features/runs/progress.ts'

/** What only people can answer. A run that waits for nothing else holds no worker. */
export type Question = Extract<Effect, { kind: 'approval' | 'message' }>
export type Doable = Exclude<Effect, Question>

export function isQuestion(effect: Effect): effect is Question {
  return effect.kind === 'approval' || effect.kind === 'message'
}

export function isDoable(effect: Effect): effect is Doable {
  return !isQuestion(effect)
}

/** Puts questions before people; one that stands there already is left alone. @returns ids of the new ones by call */
export async function askQuestions(
  tx: TenantQueries,
  { runId, sessionId }: RunKey,
  questions: readonly Question[],
): Promise<Map<string, string>> {
  const ids = new Map<string, string>()
  for (const effect of questions) {
    if (effect.kind !== 'approval') continue
    const id = await askApproval(tx, { sessionId, runId, effect })
    if (id) ids.set(effect.call, id)
  }
  return ids
}

/** What people have answered to these calls so far. */
export async function answersOf(tx: TenantQueries, runId: string, calls: ReadonlySet<string>): Promise<Input[]> {
  if (calls.size === 0) return []
  return (await decisionsOf(tx, runId)).filter((one) => calls.has(one.approval))
}

/** Takes back what a run asked and nobody answered. */
export async function withdrawQuestions(tx: TenantQueries, runId: string): Promise<void> {
  await withdrawApprovals(tx, runId)
}
