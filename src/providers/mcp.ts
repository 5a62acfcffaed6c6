import { AppError } from '../errors.ts'
import type { McpAnswer, McpTool } from './mcp-answers.ts'
import type { McpCommands } from './mcp-commands.ts'
import type { McpTarget } from './mcp-connection.ts'

export interface McpCall {
  /** As the server calls it. */
  readonly tool: string
  readonly arguments: Record<string, unknown>
  readonly timeoutMs: number
  /** The same again when the call is repeated after a takeover. */
  readonly idempotencyKey: string
}

/** MCP servers of tenants. What goes wrong is an AppError: a code that begins with `mcp_`, or egress_refused. */
export interface Mcp {
  /** Programs that the operator allows. */
  readonly programs: readonly string[]
  /** Throws egress_refused for an address that can never be connected to. */
  check(url: string): Promise<void>
  /** Connects, lists the tools and leaves again. Throws too_many_requests when this tenant does so twice already. */
  discover(target: McpTarget, signal: AbortSignal): Promise<McpTool[]>
  /** Calls a tool over a connection that this tenant alone uses. Rejects at once when the signal is aborted. */
  call(target: McpTarget, call: McpCall, signal: AbortSignal): Promise<McpAnswer>
  /** Closes every connection and ends every program. */
  close(): Promise<void>
}

export interface McpOptions {
  /** host:port that may be reached although it is private. */
  readonly allow: readonly string[]
  readonly commands: McpCommands
  /** PATH of the programs. */
  readonly path: string
  /** A connection that nobody used for this long is closed. */
  readonly idleMs?: number
}

const discoveriesAtOnce = 2

/** The protocol's library is loaded by the first use: most processes never need it. */
export function createMcp(options: McpOptions): Mcp {
  const discovering = new Map<string, number>()
  let loaded: Promise<Pick<Mcp, 'discover' | 'call' | 'close'>> | undefined
  const client = () => {
    loaded ??= import('./mcp-client.ts').then(({ createMcpClient }) => createMcpClient(options))
    return loaded
  }
  return {
    programs: Object.keys(options.commands).sort(),
    async check(url) {
      const { checkAddress } = await import('./http.ts')
      await checkAddress(url, { allow: options.allow })
    },
    async discover(target, signal) {
      const now = discovering.get(target.tenantId) ?? 0
      if (now >= discoveriesAtOnce) {
        throw new AppError('too_many_requests', `${now} discoveries are under way; wait for one of them`)
      }
      discovering.set(target.tenantId, now + 1)
      try {
        return await (await client()).discover(target, signal)
      } finally {
        const left = discovering.get(target.tenantId)! - 1
        if (left > 0) discovering.set(target.tenantId, left)
        else discovering.delete(target.tenantId)
      }
    },
    call: async (target, call, signal) => await (await client()).call(target, call, signal),
    close: async () => await (await loaded)?.close(),
  }
}
