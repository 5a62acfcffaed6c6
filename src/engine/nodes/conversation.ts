import type { Memory, Message, ModelResult, ToolCall, ToolSpec } from '../machine.ts'
import type { Plan } from '../plan.ts'
import { isMcpTool, mayCall, platformTools, setOutput } from '../platform-tools.ts'
import type { Node } from '../schema.ts'
import { isObject } from './node.ts'
import { checkInput } from './tool.ts'

type LoopNode = Node & { type: 'event_loop' }

const charactersPerToken = 4

/** A rough count, the same for every model: four characters a token. */
export function conversationTokens(messages: readonly Message[]): number {
  const characters = messages.reduce((sum, message) => {
    const calls = message.role === 'assistant' ? JSON.stringify(message.toolCalls).length : 0
    return sum + message.content.length + calls
  }, 0)
  return Math.ceil(characters / charactersPerToken)
}

/** The author's instructions, what must be set and how, and the node's inputs as JSON. */
export function firstMessages(node: LoopNode, plan: Plan, inputs: Memory): Message[] {
  const keys = node.outputKeys ?? []
  const optional = keys.filter((key) => node.nullableOutputKeys?.includes(key))
  const task = [plan.promptOf(node.systemPrompt)]
  if (keys.length > 0)
    task.push(`Give your results by calling ${setOutput} once for each of these keys: ${keys.join(', ')}.`)
  if (optional.length > 0) task.push(`These may be left out: ${optional.join(', ')}.`)
  const data = Object.entries(inputs).map(([key, value]) => `${key}: ${JSON.stringify(value)}`)
  return [
    { role: 'system', content: task.join('\n\n') },
    { role: 'user', content: data.length > 0 ? `Inputs, each as JSON:\n${data.join('\n')}` : 'Begin.' },
  ]
}

/** Every tool that the model may call in this node. */
export function toolsFor(node: LoopNode, plan: Plan): ToolSpec[] {
  const own = (node.tools ?? [])
    .filter((name) => !isMcpTool(name))
    .map((name): ToolSpec => {
      const { description = '', inputSchema = { type: 'object' } } =
        platformTools.get(name) ?? plan.tools.get(name) ?? {}
      return { name, description, inputSchema }
    })
  return node.outputKeys?.length ? [setOutputSpec(node.outputKeys), ...own] : own
}

/** A turn of the model, with what can be answered at once already answered. */
export interface Received {
  readonly messages: readonly Message[]
  readonly outputs: Memory
  /** Keys that were set in this turn. */
  readonly set: readonly string[]
  /** Calls that are to be made. */
  readonly calls: readonly ToolCall[]
  /** Whether a call was answered with an error that the model has to see. */
  readonly refused: boolean
}

/**
 * Takes in a turn. The model's call ids are replaced, since it may use one twice; calls above the limit are dropped,
 * and it is told so.
 */
export function receive(
  call: string,
  turn: ModelResult & { ok: true },
  node: LoopNode,
  plan: Plan,
  before: Memory,
): Received {
  const most = plan.limits.maxToolCallsPerTurn
  const toolCalls = turn.toolCalls.slice(0, most).map((asked, index): ToolCall => {
    const given = isObject(asked.arguments) ? asked.arguments : {}
    return {
      id: `call_${call.replace('.', '_')}_${index + 1}`,
      name: String(asked.name).slice(0, 130),
      arguments: given,
    }
  })
  const outputs: Memory = { ...before }
  const set: string[] = []
  const answers: Message[] = []
  const calls: ToolCall[] = []
  let refused = false
  for (const asked of toolCalls) {
    const problem = asked.name === setOutput ? setFrom(asked, node, outputs, set) : checkCall(asked, node, plan)
    if (problem !== null) refused = true
    if (problem === null && asked.name !== setOutput) calls.push(asked)
    else answers.push({ role: 'tool', toolCallId: asked.id, name: asked.name, content: problem ?? 'ok' })
  }
  const messages: Message[] = [{ role: 'assistant', content: turn.text, toolCalls }, ...answers]
  if (turn.toolCalls.length > most) {
    refused = true
    messages.push({ role: 'user', content: `Only the first ${most} of your ${turn.toolCalls.length} calls were made.` })
  }
  return { messages, outputs, set, calls, refused }
}

function setFrom(asked: ToolCall, node: LoopNode, outputs: Memory, set: string[]): string | null {
  const { key, value } = asked.arguments as { key?: unknown; value?: unknown }
  const keys = node.outputKeys ?? []
  if (typeof key !== 'string' || !keys.includes(key)) return `error: key must be one of ${keys.join(', ')}`
  if ((value ?? null) === null && !node.nullableOutputKeys?.includes(key)) return `error: ${key} needs a value`
  outputs[key] = value ?? null
  set.push(key)
  return null
}

function checkCall(asked: ToolCall, node: LoopNode, plan: Plan): string | null {
  if (!mayCall(node.tools ?? [], asked.name)) return `error: there is no tool ${asked.name}`
  const problem = checkInput(plan, asked.name, asked.arguments)
  return problem && `error ${problem.code}: ${problem.message}`
}

function setOutputSpec(keys: readonly string[]): ToolSpec {
  return {
    name: setOutput,
    description: 'Sets one result of this task.',
    inputSchema: {
      type: 'object',
      required: ['key', 'value'],
      additionalProperties: false,
      properties: { key: { type: 'string', enum: keys }, value: { description: 'Any JSON value.' } },
    },
  }
}
