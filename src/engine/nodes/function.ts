import type { Effect, PendingCall } from '../machine.ts'
import type { Plan } from '../plan.ts'
import { writeReport } from '../references.ts'
import type { Node } from '../schema.ts'
import { asking, type Behaviour, completed, failed, inputsOf, isObject, outputsOf } from './node.ts'

const defaultTimeoutMs = 5000
/** Rendering and storing a large report. */
const reportTimeoutMs = 60_000

/** Calls one tool with the node's inputs; fields of its answer become memory. */
export const functionNode: Behaviour<Node & { type: 'function' }> = {
  begin: ({ node }, activation) => ({ activation: asking(activation, { kind: 'tool', tool: node.tool }) }),

  effect: (scene, activation, pending) => toolEffect(scene.plan, activation, pending, inputsOf(scene, activation)),

  answer({ node }, _activation, _pending, answer) {
    if (answer.kind !== 'tool_result') throw new Error(`a tool was answered with a ${answer.kind}`)
    const { result } = answer
    if (!result.ok) return failed(result.error.code, result.error.message)
    const expected = node.outputKeys ?? []
    if (expected.length === 0) return completed({})
    if (!isObject(result.output))
      return failed('missing_outputs', `${node.tool} must return an object with ${expected}`)
    const { outputs, missing } = outputsOf(node, result.output)
    if (missing.length > 0) return failed('missing_outputs', `${node.tool} did not return ${missing.join(', ')}`)
    return completed(outputs)
  },
}

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
