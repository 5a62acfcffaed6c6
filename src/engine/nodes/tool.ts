import { checkJson } from '../../providers/json-schema.ts'
import type { Effect, Failure, PendingCall, ToolResult } from '../machine.ts'
import type { Plan } from '../plan.ts'
import { writeReport } from '../references.ts'

const defaultTimeoutMs = 5000
/** Rendering and storing a large report. */
const reportTimeoutMs = 60_000
/** Faults that are told; a table may have thousands. */
const maxTold = 3

/** A call of a tool, with the time that it may take. */
export function toolEffect(
  { tools }: Plan,
  { step, nodeId }: { step: number; nodeId: string },
  { call, tool = '' }: PendingCall,
  input: Record<string, unknown>,
): Effect {
  const timeoutMs = tool === writeReport ? reportTimeoutMs : (tools.get(tool)?.timeoutMs ?? defaultTimeoutMs)
  return { kind: 'tool', call, step, nodeId, tool, input, timeoutMs }
}

/** Why this input is not what the tool takes, or null. A tool that says nothing takes anything. */
export function checkInput({ tools }: Plan, tool: string, input: unknown): Failure | null {
  return check(tools.get(tool)?.inputSchema, input, 'input_invalid', `${tool} does not take this`)
}

/** The result, or a failure when the tool returned something else than it says. */
export function checkOutput({ tools }: Plan, tool: string, result: ToolResult): ToolResult {
  if (!result.ok) return result
  const error = check(
    tools.get(tool)?.outputSchema,
    result.output ?? null,
    'output_invalid',
    `${tool} returned the wrong thing`,
  )
  return error ? { ok: false, error } : result
}

function check(schema: object | undefined, value: unknown, code: string, what: string): Failure | null {
  const faults = schema ? checkJson(schema, value, '') : []
  if (faults.length === 0) return null
  const told = faults.slice(0, maxTold).map(({ path, reason }) => `${path || 'it'} ${reason}`)
  return { code, message: `${what}: ${told.join('; ')}${faults.length > maxTold ? '; …' : ''}` }
}
