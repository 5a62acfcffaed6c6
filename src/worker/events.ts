import type { EngineEvent } from '../engine/machine.ts'

/** What the id of a question is called in the event that tells of it. */
const idOf: Readonly<Record<string, string>> = { approval_requested: 'approvalId', client_input_requested: 'messageId' }

/**
 * A transition's events as the session's stream gets them: questions with the ids that people answer them by, what
 * effects left behind before the event that ends the run, and no decisions: those were told when people took them.
 */
export function tell(
  events: readonly EngineEvent[],
  questionIds: ReadonlyMap<string, string>,
  left: readonly EngineEvent[],
): EngineEvent[] {
  const told = events
    .filter(({ type }) => type !== 'approval_decided')
    .map((event) => {
      const id = questionIds.get(String(event.data['call']))
      const name = id === undefined ? undefined : idOf[event.type]
      return name === undefined ? event : { ...event, data: { ...event.data, [name]: id } }
    })
  const end = told.findIndex(({ type }) => type === 'execution_completed' || type === 'execution_failed')
  return told.toSpliced(end === -1 ? told.length : end, 0, ...left)
}
