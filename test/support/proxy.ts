import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { Test } from 'tap'

/**
 * Where a connection is cut: in front of what was just sent, which never arrives; or behind it, so that it arrives and
 * the answer is lost.
 */
export type Side = 'before' | 'after'

/** A way to a server that can be cut. */
export interface Proxy {
  /** The address with this proxy in place of the server. */
  readonly url: string
  /** Pieces sent towards the server since `cutAt`. */
  readonly sent: number
  /** Cuts the connection that sends the `piece`-th piece from now on, counted from 1 over all connections. */
  cutAt(piece: number, side: Side): void
  /** Lets nothing through any more, and says so to nobody: connections stay open, new ones are taken. */
  silence(): void
  /** Ends the silence. What was sent meanwhile is lost, and with it the connections that sent it. */
  speak(): void
  /** Cuts all connections now. */
  cut(): void
}

interface Pair {
  readonly client: Socket
  readonly server: Socket
  /** Something of it was lost in a silence. */
  lost: boolean
}

interface Wire {
  readonly pairs: Set<Pair>
  silent: boolean
  sent: number
  planned: { readonly piece: number; readonly side: Side } | null
}

/** Starts a proxy in front of the server that the address names. */
export async function startProxy(t: Pick<Test, 'teardown'>, address: string): Promise<Proxy> {
  const url = new URL(address)
  const [port, host] = [Number(url.port), url.hostname]
  const wire: Wire = { pairs: new Set(), silent: false, sent: 0, planned: null }
  const listener = createServer((client) => join(wire, { client, server: connect(port, host), lost: false }))
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  url.port = String((listener.address() as AddressInfo).port)
  const cut = () => {
    for (const pair of wire.pairs) end(wire, pair)
  }
  t.teardown(() => {
    cut()
    listener.close()
  })
  return {
    url: url.href,
    get sent() {
      return wire.sent
    },
    cutAt(piece, side) {
      wire.sent = 0
      wire.planned = { piece, side }
    },
    silence() {
      wire.silent = true
    },
    speak() {
      wire.silent = false
      for (const pair of wire.pairs) if (pair.lost) end(wire, pair)
    },
    cut,
  }
}

function end({ pairs }: Wire, pair: Pair): void {
  pairs.delete(pair)
  pair.client.destroy()
  pair.server.destroy()
}

function join(wire: Wire, pair: Pair): void {
  const { client, server } = pair
  wire.pairs.add(pair)
  client.on('data', (data) => pass(wire, pair, data))
  server.on('data', (data) => {
    if (wire.silent) pair.lost = true
    else if (!client.destroyed) client.write(data)
  })
  for (const socket of [client, server]) {
    socket.setNoDelay(true)
    socket.on('error', () => undefined)
  }
  client.on('close', () => {
    if (wire.silent) pair.lost = true
    else server.end()
  })
  server.on('close', () => end(wire, pair))
}

/** Towards the server. */
function pass(wire: Wire, pair: Pair, data: Buffer): void {
  if (wire.silent) {
    pair.lost = true
    return
  }
  wire.sent += 1
  const side = wire.sent === wire.planned?.piece ? wire.planned.side : null
  if (side !== 'before') pair.server.write(data)
  if (side === null) return
  wire.planned = null
  if (side === 'before') {
    end(wire, pair)
    return
  }
  pair.server.end() // it takes all that was sent before it sees the end
  pair.client.destroy()
}
