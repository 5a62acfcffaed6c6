import type { Effect, Failure, PendingCall, ToolResult } from '../machine.ts'
import type { Plan } from '../plan.ts'
import { isMcpTool, mcpTimeoutMs, platformTools } from '../platform-tools.ts'

const defaultTimeoutMs = 5000

/** A call of a tool, with the time that it may take. */
export function toolEffect(
  { tools }: Plan,
  { step, nodeId }: { step: number; nodeId: string },
  { call, tool = '' }: PendingCall,
  input: Record<string, unknown>,
): Effect {
  const known = platformTools.get(tool) ?? tools.get(tool)
  const timeoutMs = isMcpTool(tool) ? mcpTimeoutMs : (known?.timeoutMs ?? defaultTimeoutMs)
  return { kind: 'tool', call, step, nodeId, tool, input, timeoutMs }
}

/** Why this input is not what the tool takes, or null. A tool that says nothing takes anything; MCP servers check their own. */
export function checkInput({ tools, checkValue }: Plan, tool: string, input: unknown): Failure | null {
  const schema = (platformTools.get(tool) ?? tools.get(tool))?.inputSchema
  const problem = schema ? checkValue(schema, input) : null
  return problem === null ? null : { code: 'input_invalid', message: `${tool} does not take this: ${problem}` }
}

/** The result, or a failure when the tool returned something else than it says. */
export function checkOutput({ tools, checkValue }: Plan, tool: string, result: ToolResult): ToolResult {
  const schema = tools.get(tool)?.outputSchema
  if (!result.ok || !schema) return result
  const problem = checkValue(schema, result.output ?? null)
  if (problem === null) return result
  return { ok: false, error: { code: 'output_invalid', message: `${tool} returned the wrong thing: ${problem}` } }
}
