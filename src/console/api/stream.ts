import type { SessionEvent } from '../../features/sessions/schema.ts'
import type { Api } from './client.ts'
import { isPassing, Problem } from './problem.ts'
import { files } from './resources.ts'
import type { TextFrame } from './writing.ts'

export type StreamState = 'connecting' | 'live' | 'interrupted'

export interface StreamListener {
  onEvents(events: readonly SessionEvent[]): void
  /** What models are writing; it is not repeated after an interruption. */
  onTexts(texts: readonly TextFrame[]): void
  onState(state: StreamState): void
  /** The server says that coming back is of no use. */
  onRefused(error: unknown): void
}

/** The server says something every 15 s; after this silence the connection is taken for dead. */
const silenceMs = 45_000
const backOffMs = [500, 1000, 2000, 5000, 10_000]

/**
 * Follows a session's events: fetch, since EventSource can send no token. After an interruption it comes back and
 * resumes behind the last event it saw, so that none is missed or doubled. @returns how to stop
 */
export function followSession(api: Api, sessionId: string, listener: StreamListener): () => void {
  const stop = new AbortController()
  void follow(api, sessionId, listener, stop.signal)
  return () => stop.abort()
}

async function follow(api: Api, sessionId: string, listener: StreamListener, stop: AbortSignal): Promise<void> {
  let last = 0
  let failures = 0
  while (!stop.aborted) {
    listener.onState(failures === 0 ? 'connecting' : 'interrupted')
    const connection = new AbortController()
    const signal = AbortSignal.any([stop, connection.signal])
    try {
      const body = await api.open(files.stream(sessionId), last > 0 ? { 'last-event-id': String(last) } : {}, signal)
      listener.onState('live')
      for await (const { events, texts } of readFrames(body, () => connection.abort())) {
        failures = 0
        if (stop.aborted) continue
        if (texts.length > 0) listener.onTexts(texts)
        const fresh = events.filter((event) => event.id > last)
        if (fresh.length === 0) continue
        last = fresh.at(-1)!.id
        listener.onEvents(fresh)
      }
      // An end without a fault: the token is over, or the membership changed. Coming back asks for a new one.
    } catch (error) {
      if (stop.aborted) return
      const gone = error instanceof Problem && !isPassing(error)
      const unknown = !(error instanceof Problem) && !isConnectionLoss(error)
      if (gone || unknown) return listener.onRefused(error)
    }
    await pause(backOffMs[Math.min(failures++, backOffMs.length - 1)]!, stop)
  }
}

function isConnectionLoss(error: unknown): boolean {
  return error instanceof TypeError || (error instanceof DOMException && error.name === 'AbortError')
}

interface Chunk {
  readonly events: readonly SessionEvent[]
  readonly texts: readonly TextFrame[]
}

/** What each chunk that arrives holds, together, so that a long replay is one change of the page. */
async function* readFrames(body: ReadableStream<Uint8Array>, onSilence: () => void): AsyncGenerator<Chunk> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader()
  let buffer = ''
  let timer = setTimeout(onSilence, silenceMs)
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      clearTimeout(timer)
      timer = setTimeout(onSilence, silenceMs)
      buffer += value
      const frames = buffer.split('\n\n')
      buffer = frames.pop() ?? ''
      yield chunkOf(frames)
    }
  } finally {
    clearTimeout(timer)
    reader.cancel().catch(() => {})
  }
}

/** Frames with an id are events, which stay; those without are text, and comments are nothing. */
function chunkOf(frames: readonly string[]): Chunk {
  const [events, texts]: [SessionEvent[], TextFrame[]] = [[], []]
  for (const frame of frames) {
    const lines = frame.split('\n')
    const data = lines.filter((line) => line.startsWith('data: ')).map((line) => line.slice(6))
    if (data.length === 0) continue
    if (lines.some((line) => line.startsWith('id: '))) events.push(JSON.parse(data.join('\n')))
    else if (lines.includes('event: llm_text_delta')) texts.push(JSON.parse(data.join('\n')))
  }
  return { events, texts }
}

function pause(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    stop.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}
