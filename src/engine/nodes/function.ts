import type { Activation, Memory } from '../machine.ts'
import type { Node } from '../schema.ts'
import { asking, type Behaviour, completed, failed, inputsOf, isObject, outputsOf, type Scene } from './node.ts'
import { checkInput, checkOutput, toolEffect } from './tool.ts'

type FunctionNode = Node & { type: 'function' }

/** Calls one tool with the node's inputs; fields of its answer become memory. */
export const functionNode: Behaviour<FunctionNode> = {
  begin(scene, activation) {
    const { tool } = scene.node
    const problem = checkInput(scene.plan, tool, argumentsOf(scene, activation))
    return problem ? failed(problem.code, problem.message) : { activation: asking(activation, { kind: 'tool', tool }) }
  },

  effect: (scene, activation, pending) => toolEffect(scene.plan, activation, pending, argumentsOf(scene, activation)),

  answer({ node, plan }, _activation, _pending, answer) {
    if (answer.kind !== 'tool_result') throw new Error(`a tool was answered with a ${answer.kind}`)
    const result = checkOutput(plan, node.tool, answer.result)
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

/** The author's fixed arguments win: memory never replaces where a request goes. */
function argumentsOf(scene: Scene<FunctionNode>, activation: Activation): Memory {
  return { ...inputsOf(scene, activation), ...scene.node.arguments }
}
