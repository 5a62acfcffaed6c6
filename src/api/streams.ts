import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Notifications, TextDelta } from '../db/notifications.ts'
import type { News, ServerEvent, StreamControl } from '../tenancy/route.ts'

const pingMs = 15_000
/** A reader that takes nothing for this long is closed; it resumes with Last-Event-ID. */
const slowReaderMs = 5000
/** What is under way to a reader when its stream ends may still arrive in this time. */
const farewellMs = 500
/** Of pieces of text that wait for one reader; what comes on top is dropped. */
const maxTexts = 64

export interface StreamOwner {
  readonly tenantId: string
  readonly userId: string
  /** Seconds since 1970: when the token ends. */
  readonly expiresAt: number
}

/**
 * What a stream route gets. Its signal is aborted when the client leaves, the token ends, the membership or the tenant
 * changes, or the database's notifications are lost: after each of these the client must come back and be checked anew.
 */
export function openControl(
  request: FastifyRequest,
  owner: StreamOwner,
  notifications: Notifications,
  now: () => number,
): { control: StreamControl; close: () => void } {
  const controller = new AbortController()
  const end = () => controller.abort()
  const timer = setTimeout(end, Math.max(owner.expiresAt * 1000 - now(), 0))
  const subscriptions = [
    notifications.on(owner.tenantId, `member:${owner.userId}`, end),
    notifications.on(owner.tenantId, 'tenant', end),
    notifications.onLost(end),
  ]
  request.raw.once('close', end)
  if (request.raw.socket.destroyed) end() // left while it was asked who it is
  if (!notifications.connected) end() // nothing would be heard
  const watchSession = (sessionId: string) => {
    const { changed, said, next } = watcher(controller.signal)
    subscriptions.push(
      notifications.on(owner.tenantId, `session:${sessionId}`, changed),
      notifications.onText(owner.tenantId, sessionId, said),
    )
    return next
  }
  const close = () => {
    end()
    clearTimeout(timer)
    for (const unsubscribe of subscriptions) unsubscribe()
  }
  const lastEventId = request.headers['last-event-id']
  return {
    control: {
      lastEventId: typeof lastEventId === 'string' ? lastEventId : undefined,
      signal: controller.signal,
      watchSession,
    },
    close,
  }
}

/** Remembers what comes while nobody waits, so that no change is missed between a read and the next wait. */
function watcher(signal: AbortSignal) {
  let waiting = { changed: false, texts: [] as TextDelta[] }
  let wake: (() => void) | undefined
  const changed = () => {
    waiting.changed = true
    wake?.()
  }
  const said = (delta: TextDelta) => {
    if (waiting.texts.length < maxTexts) waiting.texts.push(delta)
    wake?.()
  }
  signal.addEventListener('abort', () => wake?.())
  const next = async (): Promise<News> => {
    if (!waiting.changed && waiting.texts.length === 0 && !signal.aborted) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
      wake = undefined
    }
    const news = waiting
    waiting = { changed: false, texts: [] }
    return news
  }
  return { changed, said, next }
}

/** Writes the events as they come, at the reader's pace and with nothing buffered beyond the socket. */
export async function sendStream(
  reply: FastifyReply,
  events: AsyncIterable<ServerEvent>,
  { control, close }: ReturnType<typeof openControl>,
): Promise<void> {
  const { raw } = reply
  const { signal } = control
  reply.hijack()
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) raw.setHeader(name, value)
  raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
  raw.write(': open\n\n')
  // At once, whatever the events are waiting for.
  if (signal.aborted) hangUp(raw)
  else signal.addEventListener('abort', () => hangUp(raw), { once: true })
  const ping = setInterval(() => {
    if (!raw.writableEnded && !raw.writableNeedDrain) raw.write(': ping\n\n')
  }, pingMs)
  try {
    for await (const event of events) {
      if (signal.aborted) break
      if (!raw.write(format(event)))
        await once(raw, 'drain', { signal: AbortSignal.any([signal, AbortSignal.timeout(slowReaderMs)]) })
    }
  } catch (error) {
    // The answer has begun, so its end is all that can be said: the client comes back and gets the reason as a status.
    reply.request.log.debug({ err: error }, 'stream ended')
  } finally {
    clearInterval(ping)
    close()
  }
}

/** Ends the answer; a reader that does not take its rest loses the connection. */
function hangUp(raw: ServerResponse): void {
  const timer = setTimeout(() => raw.destroy(), farewellMs)
  raw.once('close', () => clearTimeout(timer))
  raw.end()
}

function format({ id, type, data }: ServerEvent): string {
  return `${id ? `id: ${id}\n` : ''}event: ${type}\ndata: ${JSON.stringify(data)}\n\n`
}
