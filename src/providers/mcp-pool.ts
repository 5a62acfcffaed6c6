import { AppError } from '../errors.ts'
import type { Connection, McpTarget } from './mcp-connection.ts'
import { untilAborted } from './until-aborted.ts'

export interface PoolOptions {
  readonly perTenant: number
  readonly inAll: number
  /** A connection that nobody used for this long is closed. */
  readonly idleMs: number
  readonly open: (target: McpTarget) => Promise<Connection>
}

export interface Lease {
  readonly connection: Connection
  /** A spoilt connection is never leased again, and closed with its last user. */
  leave(spoilt: boolean): void
}

interface Held {
  readonly key: string
  readonly tenantId: string
  readonly opening: Promise<Connection>
  users: number
  idle: NodeJS.Timeout | undefined
  spoilt: boolean
}

/**
 * Connections by tenant, server and version of its configuration: what differs in any of them is never shared. A
 * bounded number; the one that is idle for longest makes room.
 */
export class ConnectionPool {
  readonly #options: PoolOptions
  /** In the order of last use. */
  readonly #held = new Map<string, Held>()
  readonly #closing = new Set<Promise<void>>()

  constructor(options: PoolOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#held.size
  }

  /** Waits for the connection, or until the signal is aborted. Throws mcp_unavailable when too many are in use. */
  async lease(target: McpTarget, signal: AbortSignal): Promise<Lease> {
    signal.throwIfAborted()
    const key = keyOf(target)
    const one = this.#held.get(key) ?? this.#hold(target, key)
    this.#held.delete(key)
    this.#held.set(key, one)
    clearTimeout(one.idle)
    one.users += 1
    try {
      const connection = await untilAborted(one.opening, signal)
      return { connection, leave: (spoilt) => this.#leave(one, spoilt) }
    } catch (error) {
      this.#leave(one, !signal.aborted)
      throw error
    }
  }

  async close(): Promise<void> {
    for (const one of [...this.#held.values()]) this.#drop(one)
    await Promise.all(this.#closing)
  }

  #hold(target: McpTarget, key: string): Held {
    this.#makeRoom(target)
    const opening = this.#options.open(target)
    const one: Held = { key, tenantId: target.tenantId, opening, users: 0, idle: undefined, spoilt: false }
    opening.then(
      (connection) => connection.onClose(() => this.#held.get(key) === one && this.#drop(one)),
      () => this.#forget(one),
    )
    return one
  }

  #makeRoom({ tenantId, name }: McpTarget): void {
    const { perTenant, inAll } = this.#options
    const all = [...this.#held.values()]
    const own = all.filter((one) => one.tenantId === tenantId)
    if (own.length < perTenant && all.length < inAll) return
    const idle = (own.length < perTenant ? all : own).find((one) => one.users === 0)
    if (!idle) {
      throw new AppError('mcp_unavailable', `the MCP server ${name}: too many connections are in use; try again`)
    }
    this.#drop(idle)
  }

  #leave(one: Held, spoilt: boolean): void {
    one.users -= 1
    one.spoilt ||= spoilt
    if (one.spoilt) this.#forget(one)
    if (one.users > 0) return
    if (one.spoilt) this.#drop(one)
    else one.idle = setTimeout(() => this.#drop(one), this.#options.idleMs).unref()
  }

  #forget(one: Held): void {
    if (this.#held.get(one.key) === one) this.#held.delete(one.key)
  }

  #drop(one: Held): void {
    clearTimeout(one.idle)
    this.#forget(one)
    const closed = one.opening.then((connection) => connection.close()).catch(() => undefined)
    this.#closing.add(closed)
    void closed.finally(() => this.#closing.delete(closed))
  }
}

function keyOf({ tenantId, id, version, secrets }: McpTarget): string {
  return JSON.stringify([tenantId, id, version, secrets.fingerprint])
}
