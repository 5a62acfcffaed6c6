import { once } from 'node:events'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Notifications } from '../db/notifications.ts'
import type { ServerEvent, StreamControl } from '../tenancy/route.ts'

const pingMs = 15_000
/** A reader that cannot take more for this long is closed; it resumes with Last-Event-ID. */
const slowReaderMs = 10_000

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
  const watch = (topic: string) => {
    const watcher = watchTopic(controller.signal)
    subscriptions.push(notifications.on(owner.tenantId, topic, watcher.heard))
    return watcher.next
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
      watch,
    },
    close,
  }
}

/** Remembers a change that comes while nobody waits, so that none is missed between a read and the next wait. */
function watchTopic(signal: AbortSignal) {
  let changed = false
  let wake: (() => void) | undefined
  const heard = () => {
    changed = true
    wake?.()
  }
  signal.addEventListener('abort', () => wake?.())
  const next = async () => {
    if (!changed && !signal.aborted) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
      wake = undefined
    }
    changed = false
  }
  return { heard, next }
}

/** Writes the events as they come, at the reader's pace and with nothing buffered beyond the socket. */
export async function sendStream(
  reply: FastifyReply,
  events: AsyncIterable<ServerEvent>,
  { control, close }: ReturnType<typeof openControl>,
): Promise<void> {
  const { raw } = reply
  reply.hijack()
  for (const [name, value] of Object.entries(reply.getHeaders())) if (value !== undefined) raw.setHeader(name, value)
  raw.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
  raw.write(': open\n\n')
  const ping = setInterval(() => {
    if (!raw.writableNeedDrain) raw.write(': ping\n\n')
  }, pingMs)
  try {
    for await (const event of events) {
      if (control.signal.aborted) break
      if (!raw.write(format(event)))
        await once(raw, 'drain', { signal: AbortSignal.any([control.signal, AbortSignal.timeout(slowReaderMs)]) })
    }
  } catch (error) {
    // The answer has begun, so its end is all that can be said: the client comes back and gets the reason as a status.
    reply.request.log.debug({ err: error }, 'stream ended')
  } finally {
    clearInterval(ping)
    close()
    raw.end()
  }
}

function format({ id, type, data }: ServerEvent): string {
  return `${id ? `id: ${id}\n` : ''}event: ${type}\ndata: ${JSON.stringify(data)}\n\n`
}
