import { setTimeout as delay } from 'node:timers/promises'
import { serverOf } from '../../engine/platform-tools.ts'
import { AppError } from '../../errors.ts'
import { sizeOf } from '../../features/runs/size.ts'
import type { NamedTool } from '../../features/tools/names.ts'
import { keepTools, type ServerInUse, serverInUse } from '../../features/tools/service.ts'
import type { Mcp } from '../../providers/mcp.ts'
import type { McpTool } from '../../providers/mcp-answers.ts'
import type { McpTarget } from '../../providers/mcp-connection.ts'
import { untilAborted } from '../../providers/until-aborted.ts'
import { makeStorable } from '../storable.ts'
import { type EffectContext, type EffectProviders, failed, type PerformTool } from './effect.ts'

/** Between two tries to discover, while others of the organization are discovered. */
const turnMs = 100

/** A tool of an MCP server. Repeated after a takeover, the server is asked again with the same idempotency key. */
export const mcpTool: PerformTool = async (providers, context, { call, nodeId, tool: name, input }) => {
  const server = await useServer(providers, context, serverOf(name))
  const tool = (await toolsOf(providers, context, server)).find((one) => one.calledAs === name)
  if (!tool?.allowed || tool.problem) {
    return failed(call, 'tool_unknown', `${name}: ${tool?.problem ?? 'your organization allows no such tool'}`)
  }
  const target = await server.target()
  const { timeoutMs } = target
  const asked = { tool: tool.name, arguments: input, timeoutMs, idempotencyKey: `${context.runId}:${call}` }
  const answer = makeStorable(await providers.mcp.call(target, asked, context.signal))
  const result = answer.ok ? { ok: true as const, output: outputFor(context, nodeId, answer.output) } : answer
  if (result.ok && !context.fits(sizeOf(JSON.stringify(result.output)))) {
    return failed(call, 'run_too_large', `${name}: the run would remember more than a run may`)
  }
  return { input: { kind: 'tool_result', call, result } }
}

/** A function node keeps fields of an object, so it gets a text as one; a model reads it as it is. */
function outputFor({ agent }: EffectContext, nodeId: string, output: unknown): unknown {
  const node = agent.manifest.graph.nodes.find(({ id }) => id === nodeId)
  return node?.type === 'function' && (typeof output !== 'object' || output === null) ? { text: output } : output
}

/** A server that the package names, as this organization has set it up. */
export async function useServer(
  { vault }: EffectProviders,
  { agent, tenant }: EffectContext,
  name: string,
): Promise<ServerInUse> {
  if (!agent.manifest.mcpServers?.some((server) => server.name === name)) {
    throw new AppError('mcp_servers_required', `the package names no MCP server ${name}`)
  }
  try {
    return await serverInUse(tenant.rows, vault, tenant.tenantId, name)
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'not_found') throw error
    throw new AppError('mcp_servers_required', `the organization has no MCP server ${name}: a builder sets it up`)
  }
}

/** What was discovered last; the first run after a change of the configuration discovers it. */
export async function toolsOf(
  { mcp }: EffectProviders,
  { tenant, signal }: EffectContext,
  server: ServerInUse,
): Promise<readonly NamedTool[]> {
  if (server.tools) return server.tools
  const target = await server.target()
  const found = await discoverOnce(mcp, target, signal)
  await keepTools(tenant.rows, target, found)
  return server.named(found)
}

/** By configuration: side by side, the items of a list ask for the same server, and it is asked once. */
const underWay = new Map<string, Promise<McpTool[]>>()

/** Ends for this caller with its signal, and for nobody else. Waits while the organization discovers others. */
async function discoverOnce(mcp: Mcp, target: McpTarget, signal: AbortSignal): Promise<McpTool[]> {
  signal.throwIfAborted()
  const { tenantId, id, version } = target
  const key = `${tenantId} ${id} ${version}`
  let discovery = underWay.get(key)
  if (!discovery) {
    discovery = discoverInTurn(mcp, target).finally(() => underWay.delete(key))
    underWay.set(key, discovery)
  }
  return await untilAborted(discovery, signal)
}

async function discoverInTurn(mcp: Mcp, target: McpTarget): Promise<McpTool[]> {
  const deadline = AbortSignal.timeout(2 * target.timeoutMs)
  for (;;) {
    try {
      return await mcp.discover(target, deadline)
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'too_many_requests' || deadline.aborted) throw error
      await delay(turnMs)
    }
  }
}
