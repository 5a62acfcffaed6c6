import type { Session, SessionEvent } from '../features/sessions/schema.ts'
import type { Cli } from './cli.ts'
import { CliError } from './failure.ts'
import { clean, type Output } from './output.ts'

type Run = Session['run']
const ended: readonly string[] = ['completed', 'rejected', 'failed', 'cancelled']
/** Events behind which the run may have stopped. */
const telling = new Set(['execution_completed', 'execution_failed', 'execution_cancelled', 'execution_paused'])
const asking = new Set(['approval_requested', 'client_input_requested'])

/**
 * Prints a session's events as they come until its run has ended, is paused, or (unless `throughWaits`) waits for a
 * person. A stream that breaks is taken up where it broke. @returns how the run stands
 */
export async function follow(
  { api, output, signal }: Cli,
  sessionId: string,
  { throughWaits }: { readonly throughWaits: boolean },
): Promise<Run> {
  const path = `/sessions/${encodeURIComponent(sessionId)}`
  let last = 0
  for (;;) {
    const answer = await api.send('GET', `${path}/stream`, { query: { after: last }, signal })
    for await (const event of eventsOf(answer, signal)) {
      last = event.id
      showEvent(output, event)
      if (!telling.has(event.type) && !asking.has(event.type)) continue
      const { run } = await api.call<Session>('GET', path)
      // Old events are told first: that the run has ended by now does not mean that this is its last one.
      if (telling.has(event.type) && [...ended, 'paused'].includes(run.status)) return run
      if (run.status === 'waiting' && !throughWaits) return run
    }
    // A stream ends with its token, or with the server; the run may have ended before it began.
    const { run } = await api.call<Session>('GET', path)
    if (ended.includes(run.status)) return run
  }
}

/** One event as a line. */
export function showEvent(output: Output, { type, timestamp, nodeId, data }: SessionEvent): void {
  const time = timestamp.slice(11, 19)
  const details = Object.entries(data)
    .filter(([, value]) => ['string', 'number', 'boolean'].includes(typeof value))
    .map(([key, value]) => `${key}=${clean(String(value)).slice(0, 200).replaceAll('\n', ' ')}`)
  const line = [
    output.style('dim', time),
    output.style('cyan', type),
    nodeId ?? '',
    output.style('dim', details.join(' ')),
  ]
  output.item({ type, timestamp, nodeId, data }, line.filter(Boolean).join(' '))
}

/** Server-sent events with an id; others are about the moment only. Ends quietly when the connection does. */
async function* eventsOf(answer: Response, signal: AbortSignal): AsyncGenerator<SessionEvent> {
  let text = ''
  const decoder = new TextDecoder()
  try {
    for await (const chunk of answer.body ?? []) {
      text += decoder.decode(chunk, { stream: true })
      const frames = text.split('\n\n')
      text = frames.pop() ?? ''
      for (const frame of frames) {
        const event = parse(frame)
        if (event) yield event
      }
    }
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof CliError) throw error
  }
}

function parse(frame: string): SessionEvent | null {
  const lines = frame.split('\n')
  const of = (field: string) =>
    lines.filter((line) => line.startsWith(`${field}:`)).map((line) => line.slice(field.length + 1).trimStart())
  const [id] = of('id')
  return id === undefined ? null : (JSON.parse(of('data').join('\n')) as SessionEvent)
}
