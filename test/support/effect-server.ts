import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import type { Test } from 'tap'

/** A system outside the platform that does something at each request, once for each idempotency key. */
export interface EffectServer {
  readonly url: string
  /** host:port, for ENGINEX_EGRESS_ALLOW. */
  readonly place: string
  /** What was asked for under each key, every time. */
  readonly received: ReadonlyMap<string, readonly unknown[]>
}

/** Starts it; each answer takes `delayMs()`. */
export async function startEffectServer(t: Pick<Test, 'teardown'>, delayMs: () => number): Promise<EffectServer> {
  const received = new Map<string, unknown[]>()
  const server = createServer(async (request, response) => {
    const key = String(request.headers['idempotency-key'])
    const body = await json(request).catch(() => 'cut off')
    received.set(key, [...(received.get(key) ?? []), body])
    setTimeout(() => response.end('{"done":true}'), delayMs()).unref()
    response.setHeader('content-type', 'application/json')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const place = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return { url: `http://${place}/effect`, place, received }
}
