import type { Memory, Message, ToolCall } from '../machine.ts'
import type { Plan } from '../plan.ts'
import { askUser, delegate, loadSkill, setOutput } from '../platform-tools.ts'
import type { Activation, LoopState } from '../state.ts'
import { canAsk, type LoopNode, skillsOf, subAgentsOf, talksTo } from './loop-tools.ts'
import { inputsOf, isObject, type Scene } from './node.ts'
import { asJsonLines, charactersIn, cut } from './text.ts'

/** A conversation that has not begun: the author's instructions, what must be set and how, and the inputs as JSON. */
export function newConversation(scene: Scene<LoopNode>, activation: Activation): LoopState {
  const data = asJsonLines(inputsFor(scene, activation))
  const messages: Message[] = [
    { role: 'system', content: instructions(scene.node, scene.plan) },
    { role: 'user', content: data === '' ? 'Begin.' : `Inputs, each as JSON:\n${data}` },
  ]
  const repeated = { call: '', times: 0, told: false }
  return { iteration: 0, turns: 0, messages, outputs: {}, idle: 0, repeated }
}

/** What came of a call, for the model to see; never more than a quarter of what the conversation may hold. */
export function answered({ id, name }: Pick<ToolCall, 'id' | 'name'>, text: string, plan: Plan): Message {
  return { role: 'tool', toolCallId: id, name, content: cut(text, charactersIn(plan.limits.maxHistoryTokens) / 4) }
}

/** What the model said last. */
export function lastTurn(messages: readonly Message[]): Message & { role: 'assistant' } {
  const turn = messages.findLast((message) => message.role === 'assistant')
  if (turn?.role !== 'assistant') throw new Error('the model has said nothing yet')
  return turn
}

/** What a call of the latest turn was given. */
export function argumentsOf(messages: readonly Message[], toolCallId: string | undefined): Record<string, unknown> {
  const given = lastTurn(messages).toolCalls.find(({ id }) => id === toolCallId)?.arguments
  return isObject(given) ? given : {}
}

/**
 * The conversation once the latest turn has all its answers. They come in any order; it goes on as if they had come in
 * the order of the calls. Together they take half of what the conversation may hold: the largest are cut.
 */
export function settled(messages: readonly Message[], plan: Plan): Message[] {
  const turn = messages.findLastIndex((message) => message.role === 'assistant')
  const asked = lastTurn(messages).toolCalls
  const after = messages.slice(turn + 1)
  const answers = asked.flatMap(({ id }) => after.filter((one) => one.role === 'tool' && one.toolCallId === id))
  const most = shareOf(
    answers.map(({ content }) => content.length),
    charactersIn(plan.limits.maxHistoryTokens) / 2,
  )
  const fitting = answers.map((answer) => ({ ...answer, content: cut(answer.content, most) }))
  return [...messages.slice(0, turn + 1), ...fitting, ...after.filter((message) => message.role !== 'tool')]
}

/** The largest size that each may have so that all fit: small ones leave their share to the others. */
function shareOf(sizes: readonly number[], room: number): number {
  let left = room
  const ascending = [...sizes].sort((a, b) => a - b)
  for (const [index, size] of ascending.entries()) {
    const share = Math.floor(left / (ascending.length - index))
    if (size > share) return share
    left -= size
  }
  return Math.max(0, ...sizes)
}

function instructions(node: LoopNode, plan: Plan): string {
  const keys = node.outputKeys ?? []
  const optional = keys.filter((key) => node.nullableOutputKeys?.includes(key))
  const own = skillsOf(node, plan).flatMap((name) => plan.skills.get(name) ?? [])
  const parts = [
    plan.promptOf(node.systemPrompt),
    keys.length > 0 && `Give your results by calling ${setOutput} once for each of these keys: ${keys.join(', ')}.`,
    optional.length > 0 && `These may be left out: ${optional.join(', ')}.`,
    own.length > 0 &&
      `Skills, to be loaded with ${loadSkill} when one fits:\n${own.map((one) => `- ${one.name}: ${one.description}`).join('\n')}`,
    talksTo(node)
      ? `You talk with a person. What you say without calling a tool is shown to them, and what they answer comes back to you. Ask with ${askUser} when they should see inputs or results beside the question.`
      : canAsk(node) && `A person answers what you ask with ${askUser}.`,
    subAgentsOf(node).length > 0 &&
      `Other agents work for you: give them tasks with ${delegate}. They know nothing of this conversation.`,
  ]
  return parts.filter((part) => typeof part === 'string').join('\n\n')
}

/** A subagent gets its task besides what its keys name. */
function inputsFor(scene: Scene<LoopNode>, activation: Activation): Memory {
  const inputs = inputsOf(scene, activation)
  return scene.node.type === 'subagent' ? { task: scene.read('task') ?? null, ...inputs } : inputs
}
