import type { Activation, LoopState, Message, ModelResult, PendingCall, ToolCall, ToolResult } from '../machine.ts'
import type { Limits } from '../plan.ts'
import { isMcpTool, setOutput } from '../platform-tools.ts'
import type { Node } from '../schema.ts'
import { conversationTokens, firstMessages, type Received, receive, toolsFor } from './conversation.ts'
import {
  asking,
  type Behaviour,
  completed,
  failed,
  inputsOf,
  isObject,
  outputsOf,
  type Progress,
  type Scene,
} from './node.ts'
import { checkOutput, toolEffect } from './tool.ts'

type LoopNode = Node & { type: 'event_loop' }
type LoopScene = Scene<LoopNode>

/** A model that works in turns: it calls tools and sets outputs, until every output that the node must have is set. */
export const eventLoopNode: Behaviour<LoopNode> = {
  begin(scene, activation) {
    const messages = firstMessages(scene.node, scene.plan, inputsOf(scene, activation))
    return nextTurn(scene, activation, { iteration: 0, messages, outputs: {} })
  },

  effect({ plan, node }, activation, pending) {
    const { messages } = loopOf(activation)
    if (pending.kind === 'tool') return toolEffect(plan, activation, pending, argumentsOf(messages, pending))
    const { step, nodeId } = activation
    const { call } = pending
    const model = node.model ?? 'default'
    const tools = toolsFor(node, plan)
    return {
      kind: 'model',
      call,
      step,
      nodeId,
      model,
      purpose: 'turn',
      messages,
      tools,
      skills: [],
      mcpTools: node.tools?.filter(isMcpTool) ?? [],
    }
  },

  answer(scene, activation, pending, answer) {
    if (answer.kind === 'model_result') return onModel(scene, activation, pending, answer.result)
    if (answer.kind === 'tool_result') return onTool(scene, activation, pending, answer.result)
    throw new Error(`a model was answered with a ${answer.kind}`)
  },
}

function onModel(scene: LoopScene, activation: Activation, { call }: PendingCall, result: ModelResult): Progress {
  if (!result.ok) return failed(result.error.code, result.error.message)
  const { node, plan, emit } = scene
  const loop = loopOf(activation)
  const turn = receive(call, result, node, plan, loop.outputs)
  const { usage, finishReason } = result
  const toolCalls = result.toolCalls.length
  emit('llm_turn_complete', { call, iteration: loop.iteration, ...usage, finishReason, toolCalls })
  for (const key of turn.set) emit('output_key_set', { key })
  const now = { ...loop, messages: [...loop.messages, ...turn.messages], outputs: turn.outputs }
  let asked: Activation = { ...activation, loop: now }
  for (const { id, name } of turn.calls) asked = asking(asked, { kind: 'tool', tool: name, toolCallId: id })
  return turn.calls.length > 0 ? { activation: asked } : judge(scene, activation, now, turn)
}

function onTool(scene: LoopScene, activation: Activation, pending: PendingCall, answer: ToolResult): Progress {
  const loop = loopOf(activation)
  const { toolCallId = '', tool: name = '' } = pending
  const result = checkOutput(scene.plan, name, answer)
  const text = result.ok ? textOf(result.output) : `error ${result.error.code}: ${result.error.message}`
  const content = text.slice(0, maxCharacters(scene.plan.limits))
  const messages: Message[] = [...loop.messages, { role: 'tool', toolCallId, name, content }]
  if (activation.pending.length > 0) return { activation: { ...activation, loop: { ...loop, messages } } }
  return nextTurn(scene, activation, { ...loop, messages: inOrder(messages) })
}

/** After a turn without tools that are still to run: done, or told what is missing. */
function judge(scene: LoopScene, activation: Activation, loop: LoopState, turn: Received): Progress {
  const { node, emit } = scene
  const { outputs, missing } = outputsOf(node, loop.outputs)
  if (missing.length === 0 && !turn.refused) {
    emit('judge_verdict', { verdict: 'accept', missing: [] })
    return completed(outputs)
  }
  emit('judge_verdict', { verdict: 'retry', missing })
  if (missing.length === 0) return nextTurn(scene, activation, loop)
  const content = `Not done: set ${missing.join(', ')} with ${setOutput}.`
  return nextTurn(scene, activation, { ...loop, messages: [...loop.messages, { role: 'user', content }] })
}

function nextTurn({ node, plan, emit }: LoopScene, activation: Activation, loop: LoopState): Progress {
  const { maxIterations, maxHistoryTokens } = plan.limits
  const most = node.maxIterations ?? maxIterations
  if (loop.iteration >= most) {
    const { missing } = outputsOf(node, loop.outputs)
    const left = missing.length > 0 ? `; not set: ${missing.join(', ')}` : ''
    return failed('iteration_limit', `the model did not finish in ${most} turns${left}`)
  }
  const tokens = conversationTokens(loop.messages)
  if (tokens > maxHistoryTokens) {
    return failed('history_limit', `the conversation has about ${tokens} tokens, more than ${maxHistoryTokens}`)
  }
  const iteration = loop.iteration + 1
  emit('node_loop_iteration', { iteration })
  return { activation: asking({ ...activation, loop: { ...loop, iteration } }, { kind: 'model' }) }
}

/** Results come in any order; the conversation goes on as if they had come in the order of the calls. */
function inOrder(messages: readonly Message[]): Message[] {
  const turn = messages.findLastIndex((message) => message.role === 'assistant')
  const asked = lastCalls(messages)
  const place = (message: Message) =>
    message.role === 'tool' ? asked.findIndex(({ id }) => id === message.toolCallId) : -1
  const after = messages.slice(turn + 1)
  const tools = after.filter((message) => message.role === 'tool').sort((a, b) => place(a) - place(b))
  return [...messages.slice(0, turn + 1), ...tools, ...after.filter((message) => message.role !== 'tool')]
}

function argumentsOf(messages: readonly Message[], { toolCallId }: PendingCall): Record<string, unknown> {
  const given = lastCalls(messages).find(({ id }) => id === toolCallId)?.arguments
  return isObject(given) ? given : {}
}

function lastCalls(messages: readonly Message[]): readonly ToolCall[] {
  const turn = messages.findLast((message) => message.role === 'assistant')
  return turn?.role === 'assistant' ? turn.toolCalls : []
}

function loopOf({ loop, nodeId }: Activation): LoopState {
  if (!loop) throw new Error(`"${nodeId}" has no conversation`)
  return loop
}

function textOf(output: unknown): string {
  return typeof output === 'string' ? output : JSON.stringify(output ?? null)
}

/** One more than fits, so that cutting never hides that the limit is passed. */
function maxCharacters({ maxHistoryTokens }: Limits): number {
  return maxHistoryTokens * 4 + 8
}
