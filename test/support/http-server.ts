import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { Test } from 'tap'

export interface Received {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
  /** Of the client's end: requests of one socket have the same. */
  readonly port: number
}

export interface TestServer {
  /** As an exception from the guard: 127.0.0.1:port. */
  readonly place: string
  readonly url: string
  readonly received: Received[]
}

/** A real HTTP server that keeps what it received; it ends with the test. */
export async function serve(
  t: Pick<Test, 'teardown'>,
  answer: (received: Received, response: ServerResponse) => unknown,
): Promise<TestServer> {
  const received: Received[] = []
  const server = createServer(async (request, response) => {
    const { method = '', url = '', headers } = request
    const one = { method, url, headers, body: await text(request), port: request.socket.remotePort ?? 0 }
    received.push(one)
    await answer(one, response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const place = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return { place, url: `http://${place}`, received }
}

/** Answers with JSON. */
export function sendJson(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}
