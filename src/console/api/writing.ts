import type { SessionEvent } from '../../features/sessions/schema.ts'

/** A piece of what a model is writing, as the stream sends it: without a number, and never again. */
export interface TextFrame {
  readonly runId: string
  readonly nodeId: string
  readonly data: { readonly call: string; readonly sequence: number; readonly text: string }
}

/** What a model has written so far of an answer that is not complete. */
export interface Writing {
  readonly call: string
  readonly nodeId: string
  readonly text: string
}

const mostCharacters = 20_000
const ends = /^(llm_turn_complete|node_loop_completed|execution_)/

/** With another piece; number 0 begins the answer anew. */
export function written(all: readonly Writing[], { runId, nodeId, data }: TextFrame): readonly Writing[] {
  const call = `${runId} ${data.call}`
  const before = data.sequence === 0 ? '' : (all.find((one) => one.call === call)?.text ?? '')
  const now = { call, nodeId, text: (before + data.text).slice(-mostCharacters) }
  return [...all.filter((one) => one.call !== call), now]
}

/** Without what these events say is complete: an answer, or whatever a node or run had under way. */
export function settled(all: readonly Writing[], events: readonly SessionEvent[]): readonly Writing[] {
  if (all.length === 0) return all
  return events
    .filter(({ type }) => ends.test(type))
    .reduce((left, { type, runId, nodeId, data }) => {
      if (type === 'llm_turn_complete') return left.filter(({ call }) => call !== `${runId} ${data.call}`)
      return left.filter((one) => !one.call.startsWith(`${runId} `) || (nodeId !== null && one.nodeId !== nodeId))
    }, all)
}
