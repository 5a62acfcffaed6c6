import { edgeName } from '../graph.ts'
import type { Activation, ModelResult } from '../machine.ts'
import { excerpt } from '../nodes/excerpt.ts'
import type { Behaviour, Scene } from '../nodes/node.ts'
import { asking, completed, failed, inputsOf, isObject } from '../nodes/node.ts'
import type { EdgePlan } from '../plan.ts'
import type { Node } from '../schema.ts'

/** Has a model choose edges: one of a router's, any number of those that say llm_decide. The output is their places. */
export const choosePhase: Behaviour<Node> = {
  begin: (_scene, activation) => ({ activation: asking(activation, { kind: 'model' }) }),

  effect(scene, activation, { call }) {
    const { node } = scene
    const { step, nodeId } = activation
    const model = ('model' in node && node.model) || 'default'
    const options = optionsOf(scene, activation)
    const messages = [
      { role: 'system', content: instructionsFor(scene, options) },
      { role: 'user', content: excerpt(factsOf(scene, activation)) || 'There are no values.' },
    ] as const
    const output = shapeOf(node, options)
    return {
      kind: 'model',
      call,
      step,
      nodeId,
      purpose: 'choose',
      model,
      messages,
      tools: [],
      skills: [],
      mcpTools: [],
      output,
    }
  },

  answer(scene, activation, { call }, answer) {
    if (answer.kind !== 'model_result') throw new Error(`a model was answered with a ${answer.kind}`)
    const { result } = answer
    if (!result.ok) return failed(result.error.code, `no edge was chosen: ${result.error.message}`)
    const { usage, finishReason } = result
    scene.emit('llm_turn_complete', { call, purpose: 'choose', iteration: 1, ...usage, finishReason, toolCalls: 0 })
    const chosen = chosenBy(scene, activation, result)
    if (typeof chosen === 'string') return failed('choice_invalid', `the model chose no edge: ${chosen}`)
    scene.emit('edges_chosen', { call, edges: chosen.map(({ edge }) => edgeName(edge)) })
    const { edges } = edgesOf(scene)
    return completed({ chosen: chosen.map((one) => edges.indexOf(one)) })
  },
}

function edgesOf({ plan, node }: Scene): { edges: readonly EdgePlan[] } {
  return { edges: plan.nodes.get(node.id)?.edges ?? [] }
}

function optionsOf(scene: Scene, { phase }: Activation): EdgePlan[] {
  if (phase?.kind !== 'choose') throw new Error('there is nothing to choose')
  const { edges } = edgesOf(scene)
  return phase.options.map((at) => edges[at] as EdgePlan)
}

/** The edges, or what is wrong with the answer. */
function chosenBy(scene: Scene, activation: Activation, { object }: ModelResult & { ok: true }): EdgePlan[] | string {
  if (!isObject(object)) return 'it answered no object'
  const options = optionsOf(scene, activation)
  const names = scene.node.type === 'router' ? [object.edge] : object.edges
  if (!Array.isArray(names)) return 'it named no list of edges'
  const strange = names.find((name) => !options.some(({ edge }) => edgeName(edge) === name))
  if (names.length > 0 && strange !== undefined)
    return `there is no edge ${JSON.stringify(strange).slice(0, 100)} to choose`
  return options.filter(({ edge }) => names.includes(edgeName(edge)))
}

function shapeOf({ type }: Node, options: readonly EdgePlan[]): object {
  const name = { type: 'string', enum: options.map(({ edge }) => edgeName(edge)) }
  const one = type === 'router'
  const properties = one ? { edge: name } : { edges: { type: 'array', items: name, maxItems: options.length } }
  return { type: 'object', properties, required: Object.keys(properties), additionalProperties: false }
}

function instructionsFor({ plan, node }: Scene, options: readonly EdgePlan[]): string {
  const { goal, graph } = plan.manifest
  const ways = options.map(({ edge }) => {
    const target = graph.nodes.find(({ id }) => id === edge.target)
    return `- ${edgeName(edge)}: ${edge.description ?? target?.description ?? target?.name ?? edge.target}`
  })
  const task =
    node.type === 'router'
      ? `${plan.promptOf(node.prompt ?? '')}\n\nChoose exactly one of these ways:`
      : 'A step of a workflow is done. Choose which of these ways the workflow follows now; several, when several apply:'
  return [`The goal of the workflow: ${goal.name}. ${goal.description}`, [task, ...ways].join('\n')].join('\n\n')
}

/** What the node read and wrote. */
function factsOf(scene: Scene, activation: Activation): Record<string, unknown> {
  const outputs = (scene.node.outputKeys ?? []).map((key) => [key, scene.read(key) ?? null] as const)
  return { ...inputsOf(scene, activation), ...Object.fromEntries(outputs) }
}
