import { serverOf } from '../../engine/platform-tools.ts'
import { AppError } from '../../errors.ts'
import { maxRunSize, sizeOf } from '../../features/runs/size.ts'
import type { NamedTool } from '../../features/tools/names.ts'
import { keepTools, type ServerInUse, serverInUse } from '../../features/tools/service.ts'
import { makeStorable } from '../storable.ts'
import { type EffectContext, type EffectProviders, failed, type PerformTool } from './effect.ts'

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
  if (result.ok && context.memorySize + sizeOf(JSON.stringify(result.output)) > maxRunSize) {
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
  const found = await mcp.discover(target, signal)
  await keepTools(tenant.rows, target, found)
  return server.named(found)
}
