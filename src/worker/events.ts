import type { EngineEvent } from '../engine/machine.ts'

/**
 * A transition's events as the session's stream gets them: questions with the ids of their approvals, what effects left
 * behind before the event that ends the run, and no decisions: those were told when people took them.
 */
export function tell(
  events: readonly EngineEvent[],
  approvalIds: ReadonlyMap<string, string>,
  left: readonly EngineEvent[],
): EngineEvent[] {
  const told = events
    .filter(({ type }) => type !== 'approval_decided')
    .map((event) => {
      const approvalId = approvalIds.get(String(event.data['call']))
      return approvalId && event.type === 'approval_requested'
        ? { ...event, data: { ...event.data, approvalId } }
        : event
    })
  const end = told.findIndex(({ type }) => type === 'execution_completed' || type === 'execution_failed')
  return told.toSpliced(end === -1 ? told.length : end, 0, ...left)
}
