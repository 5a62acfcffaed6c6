import type { TenantQueries } from '../db/queries.ts'
import type { Effect, Input } from '../engine/machine.ts'
import { askApproval, decisionsOf, withdrawApprovals } from '../features/approvals/service.ts'
import { askMessage, messagesOf, withdrawMessages } from '../features/messages/service.ts'
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
    const of = { sessionId, runId }
    const id = await (effect.kind === 'approval'
      ? askApproval(tx, { ...of, effect })
      : askMessage(tx, { ...of, effect }))
    if (id) ids.set(effect.call, id)
  }
  return ids
}

/** What people have answered to these calls so far. */
export async function answersOf(tx: TenantQueries, runId: string, calls: ReadonlySet<string>): Promise<Input[]> {
  if (calls.size === 0) return []
  const [decisions, messages] = await Promise.all([decisionsOf(tx, runId), messagesOf(tx, runId)])
  return [...decisions.filter(({ approval }) => calls.has(approval)), ...messages.filter(({ call }) => calls.has(call))]
}

/** Takes back what a run asked and nobody answered: all of it, or these calls only. */
export async function withdrawQuestions(tx: TenantQueries, runId: string, calls?: readonly string[]): Promise<void> {
  await Promise.all([withdrawApprovals(tx, runId, calls), withdrawMessages(tx, runId, calls)])
}
