import type { Memory, ToolCall } from '../machine.ts'
import { askUser, delegate, loadSkill, mayCall, setOutput } from '../platform-tools.ts'
import { canAsk, type LoopNode, maxQuestion, skillsOf, subAgentsOf } from './loop-tools.ts'
import { isObject, type Scene } from './node.ts'
import { isDeep, maxDepth } from './text.ts'
import { checkInput } from './tool.ts'

/** Characters of JSON that a question may show beside it. */
const maxEvidence = 40_000

/** What a call is checked against. */
export interface CallScene {
  readonly scene: Scene<LoopNode>
  /** An input or output of the node, for people to see. */
  readonly shown: (key: string) => unknown
  /** Set so far. */
  readonly outputs: Memory
  /** Whether the turn asks the person already. */
  readonly asks: boolean
}

/** Why these are no arguments at all, or null. */
export function argumentsProblem(given: unknown, most: number): string | null {
  if (!isObject(given)) return 'error: the arguments must be a JSON object'
  if (isDeep(given)) return `error: the arguments are nested deeper than ${maxDepth}`
  const { length } = JSON.stringify(given)
  return length > most ? `error: the arguments have ${length} characters; at most ${most}` : null
}

/** Why a call is not made, as the model is told, or null. Only what the node lists can be called. */
export function refusal({ name, arguments: value }: ToolCall, to: CallScene): string | null {
  const { node, plan } = to.scene
  const given = value as Record<string, unknown>
  const agents = subAgentsOf(node)
  const skills = skillsOf(node, plan)
  if (name === setOutput && node.outputKeys?.length) return outputProblem(given, node)
  if (name === askUser && canAsk(node)) return questionProblem(given, to)
  if (name === delegate && agents.length > 0) return taskProblem(given, agents)
  if (name === loadSkill && skills.length > 0) return nameProblem('name', given.name, skills)
  if (name === loadSkill || name === askUser || !mayCall(node.tools ?? [], name)) {
    return `error: there is no tool ${name}`
  }
  const problem = checkInput(plan, name, given)
  return problem && `error ${problem.code}: ${problem.message}`
}

function outputProblem({ key, value }: Record<string, unknown>, node: LoopNode): string | null {
  const problem = nameProblem('key', key, node.outputKeys ?? [])
  const empty = (value ?? null) === null && !node.nullableOutputKeys?.includes(key as string)
  return problem ?? (empty ? `error: ${key} needs a value` : null)
}

function questionProblem({ question, evidence }: Record<string, unknown>, to: CallScene): string | null {
  if (to.asks) return 'error: one question at a time; ask this one later'
  if (!isText(question)) return `error: question must be a text of 1 to ${maxQuestion} characters`
  const known = evidenceKeys(to.scene.node, to.outputs)
  const keys = evidence === undefined ? [] : evidence
  if (!Array.isArray(keys) || keys.length > known.length || !keys.every((key) => known.includes(key))) {
    return `error: evidence must be a list of these keys: ${known.join(', ')}`
  }
  const { length } = JSON.stringify(keys.map(to.shown))
  return length > maxEvidence
    ? `error: the evidence has ${length} characters, at most ${maxEvidence}; say what matters in the question`
    : null
}

function evidenceKeys({ inputKeys = [] }: LoopNode, outputs: Memory): string[] {
  return [...new Set([...inputKeys, ...Object.keys(outputs)])]
}

function taskProblem({ agent, task }: Record<string, unknown>, agents: readonly string[]): string | null {
  const problem = nameProblem('agent', agent, agents)
  return problem ?? (isText(task) ? null : `error: task must be a text of 1 to ${maxQuestion} characters`)
}

function nameProblem(field: string, value: unknown, names: readonly string[]): string | null {
  return typeof value === 'string' && names.includes(value)
    ? null
    : `error: ${field} must be one of ${names.join(', ')}`
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.trim() !== '' && value.length <= maxQuestion
}
