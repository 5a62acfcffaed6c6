import type { ToolSpec } from '../machine.ts'
import type { Plan } from '../plan.ts'
import { askUser, delegate, isMcpTool, loadSkill, platformTools, setOutput } from '../platform-tools.ts'
import type { Node } from '../schema.ts'

/** A node at which a model works in turns. */
export type LoopNode = Node & { type: 'event_loop' | 'subagent' }

/** Characters of a question to a person, and of a task for another agent. */
export const maxQuestion = 8000

/** Every tool that the model may call in this node, but for those of MCP servers: the shell knows what they take. */
export function toolsFor(node: LoopNode, plan: Plan): ToolSpec[] {
  const named = (node.tools ?? []).filter((name) => !isMcpTool(name) && name !== askUser && name !== loadSkill)
  const agents = subAgentsOf(node)
  return [
    ...(node.outputKeys?.length ? [setOutputSpec(node.outputKeys)] : []),
    ...(canAsk(node) ? [askUserSpec] : []),
    ...(agents.length > 0 ? [delegateSpec(agents, plan)] : []),
    ...(skillsOf(node, plan).length > 0 ? [specOf(loadSkill, plan)] : []),
    ...named.map((name) => specOf(name, plan)),
  ]
}

/** Skills that the model may load: those that the node names, or all of the package. */
export function skillsOf(node: LoopNode, plan: Plan): readonly string[] {
  return node.skills ?? (node.tools?.includes(loadSkill) ? [...plan.skills.keys()] : [])
}

export function canAsk(node: LoopNode): boolean {
  return talksTo(node) || (node.type === 'event_loop' && node.tools?.includes(askUser) === true)
}

/** Whether what the model only says is meant for a person. */
export function talksTo(node: LoopNode): boolean {
  return node.type === 'event_loop' && node.clientFacing === true
}

export function subAgentsOf(node: LoopNode): readonly string[] {
  return (node.type === 'event_loop' && node.subAgents) || []
}

function specOf(tool: string, plan: Plan): ToolSpec {
  const {
    name,
    description,
    inputSchema = { type: 'object' },
  } = platformTools.get(tool) ?? plan.tools.get(tool) ?? { name: tool, description: '' }
  return { name, description, inputSchema }
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

const askUserSpec: ToolSpec = {
  name: askUser,
  description: 'Asks the person in the chat one question, and returns when they have answered.',
  inputSchema: {
    type: 'object',
    required: ['question'],
    additionalProperties: false,
    properties: {
      question: { type: 'string', minLength: 1, maxLength: maxQuestion },
      evidence: {
        type: 'array',
        maxItems: 32,
        items: { type: 'string' },
        description: 'Keys of inputs, and of results that you have set, that are shown beside the question.',
      },
    },
  },
}

function delegateSpec(agents: readonly string[], plan: Plan): ToolSpec {
  const about = agents.map((id) => `- ${id}: ${plan.nodes.get(id)?.node.description ?? ''}`).join('\n')
  return {
    name: delegate,
    description: `Gives a task to another agent and returns its results. Several in one turn work side by side. Agents:\n${about}`,
    inputSchema: {
      type: 'object',
      required: ['agent', 'task'],
      additionalProperties: false,
      properties: {
        agent: { type: 'string', enum: agents },
        task: { type: 'string', minLength: 1, maxLength: maxQuestion, description: 'All that the agent must know.' },
      },
    },
  }
}
