import { ProtocolError, SdkError, SdkErrorCode, SdkHttpError } from '@modelcontextprotocol/client'
import { AppError } from '../errors.ts'
import { createGuardedFetch } from './http.ts'
import type { McpCall, McpOptions } from './mcp.ts'
import { type McpAnswer, type McpTool, readAnswer, readTools } from './mcp-answers.ts'
import { type Connection, connect, type McpTarget, type Surroundings } from './mcp-connection.ts'
import { ConnectionPool } from './mcp-pool.ts'

const megabyte = 1024 * 1024
const forCalls = { perAnswer: 4 * megabyte, inAll: 256 * megabyte }
const forDiscovery = { perAnswer: 4 * megabyte, inAll: 8 * megabyte }

/** The part of Mcp that speaks the protocol. */
export function createMcpClient({ allow, commands, path, idleMs = 60_000 }: McpOptions) {
  const around: Surroundings = {
    newFetch: (until) => createGuardedFetch({ allow, keepAlive: true, until }),
    commands,
    path,
  }
  const pool = new ConnectionPool({
    perTenant: 8,
    inAll: 48,
    idleMs,
    open: (target) => connect(target, around, forCalls, AbortSignal.timeout(target.timeoutMs)),
  })
  return {
    discover: (target: McpTarget, signal: AbortSignal) => discover(target, around, signal),
    async call(target: McpTarget, call: McpCall, signal: AbortSignal): Promise<McpAnswer> {
      try {
        return await callOnce(pool, target, call, signal).catch((error) => {
          if (signal.aborted || !isSessionLost(error)) throw error
          // The server has forgotten the session, so it has not begun the call.
          return callOnce(pool, target, call, signal)
        })
      } catch (error) {
        throw signal.aborted ? signal.reason : failureOf(error, target)
      }
    },
    close: () => pool.close(),
  }
}

async function discover(target: McpTarget, around: Surroundings, signal: AbortSignal): Promise<McpTool[]> {
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(target.timeoutMs)])
  let connection: Connection | undefined
  try {
    connection = await connect(target, around, forDiscovery, bounded)
    const options = { signal: bounded, timeout: target.timeoutMs, cacheMode: 'bypass' } as const
    return readTools((await connection.client.listTools(undefined, options)).tools, target.secrets.mask)
  } catch (error) {
    if (signal.aborted) throw signal.reason
    throw failureOf(connection?.fault() ?? (bounded.aborted ? timedOut(target) : error), target)
  } finally {
    await connection?.close()
  }
}

async function callOnce(
  pool: ConnectionPool,
  target: McpTarget,
  { tool: name, arguments: given, timeoutMs, idempotencyKey }: McpCall,
  signal: AbortSignal,
): Promise<McpAnswer> {
  const lease = await pool.lease(target, signal)
  let spoilt = true
  try {
    const params = { name, arguments: given, _meta: { 'enginex/idempotency-key': idempotencyKey } }
    const options = { signal, timeout: timeoutMs, maxTotalTimeout: timeoutMs }
    const answer = await lease.connection.client.callTool(params, options)
    spoilt = false
    return readAnswer(answer, target.secrets.mask)
  } catch (error) {
    spoilt = !(error instanceof ProtocolError)
    throw lease.connection.fault() ?? error
  } finally {
    // Nobody calls again over a connection that did not answer; who still waits for it goes on waiting.
    lease.leave(spoilt)
  }
}

function isSessionLost(error: unknown): boolean {
  return error instanceof SdkHttpError && error.data.status === 404
}

/** What happened, in words for who configured the server, without any of its secrets. */
function failureOf(error: unknown, target: McpTarget): AppError {
  if (error instanceof AppError) return error
  const { code, reason } = reasonOf(error)
  return new AppError(code, `the MCP server ${target.name}: ${target.secrets.mask(reason).slice(0, 500)}`)
}

function timedOut({ name, timeoutMs }: McpTarget): AppError {
  return new AppError('mcp_timeout', `the MCP server ${name}: it did not answer within ${timeoutMs / 1000} s`)
}

type Reason = { code: 'mcp_unavailable' | 'mcp_timeout' | 'mcp_bad_answer' | 'mcp_refused'; reason: string }

function reasonOf(error: unknown): Reason {
  if (error instanceof ProtocolError) return { code: 'mcp_refused', reason: `it refused: ${error.message}` }
  if (error instanceof SdkHttpError) return { code: 'mcp_unavailable', reason: `it answered ${error.data.status}` }
  if (error instanceof SdkError) {
    if (error.code === SdkErrorCode.RequestTimeout) return { code: 'mcp_timeout', reason: 'it did not answer in time' }
    if (error.code === SdkErrorCode.ConnectionClosed) {
      return { code: 'mcp_unavailable', reason: 'the connection ended before it had answered' }
    }
    return { code: 'mcp_bad_answer', reason: `it does not speak MCP as expected: ${error.message}` }
  }
  if (error instanceof DOMException && error.name === 'TimeoutError') {
    return { code: 'mcp_timeout', reason: 'it did not answer in time' }
  }
  const { code } = (error as { cause?: { code?: unknown } }).cause ?? (error as { code?: unknown })
  if (typeof code === 'string') return { code: 'mcp_unavailable', reason: `it cannot be reached (${code})` }
  if (error instanceof TypeError) return { code: 'mcp_unavailable', reason: 'it cannot be reached' }
  return { code: 'mcp_bad_answer', reason: 'it answered with something that is no MCP' }
}
