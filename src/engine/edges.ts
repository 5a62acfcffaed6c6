import { createConditions } from './conditions.ts'
import { edgeName, type GraphFault, helpersOf } from './graph.ts'
import { helperFault } from './helpers.ts'
import { memoryKeys, readBy } from './keys.ts'
import type { Edge, Manifest } from './schema.ts'

/** Of one node: a run asks the condition of each, and nothing can interrupt it. */
const mostEdges = 32

/** What is wrong with single edges, and pairs of edges of which a run could not say which one to take. */
export function checkEdges(manifest: Manifest): GraphFault[] {
  const { edges, nodes, terminalNodes } = manifest.graph
  const known = memoryKeys(manifest)
  const compile = createConditions(known)
  const helpers = helpersOf(manifest.graph)
  const ids = new Set<string>()
  return edges.flatMap((edge, index) => {
    const path = `/graph/edges/${index}`
    const fault = (field: string, reason: string) => ({ path: `${path}${field}`, reason })
    const faults: GraphFault[] = []
    for (const end of ['source', 'target'] as const) {
      const known = nodes.some((node) => node.id === edge[end])
      const reason = known ? helperFault(edge[end], helpers) : `there is no node "${edge[end]}"`
      if (reason) faults.push(fault(`/${end}`, reason))
    }
    if (edge.id !== undefined && ids.has(edge.id)) faults.push(fault('/id', `"${edge.id}" is used twice`))
    if (edge.id !== undefined) ids.add(edge.id)
    if (terminalNodes.includes(edge.source))
      faults.push(fault('/source', `"${edge.source}" is terminal: the run ends there`))
    if (edges.slice(0, index).filter(({ source }) => source === edge.source).length === mostEdges)
      faults.push(fault('/source', `more than ${mostEdges} edges leave "${edge.source}"`))
    const twin = edges.slice(0, index).findIndex((other) => other.target === edge.target && mayFanOut(edge, other))
    if (twin >= 0)
      faults.push(fault('/priority', `this edge and /graph/edges/${twin} could both be taken, to the same node`))
    const target = nodes.find((node) => node.id === edge.target)
    return [
      ...faults,
      ...checkExpression(edge, path, compile),
      ...checkChoice(edge, index, manifest),
      ...checkMapping(edge, path, known, target ? readBy(target) : []),
    ]
  })
}

/** Whether a run could take both; it would not know which mapping holds when they lead to the same node. */
function mayFanOut(edge: Edge, other: Edge): boolean {
  if (edge.source !== other.source || (edge.priority ?? 0) !== (other.priority ?? 0)) return false
  const conditions = new Set([edge.condition, other.condition])
  return !(conditions.has('on_success') && conditions.has('on_failure'))
}

function checkExpression(edge: Edge, path: string, compile: ReturnType<typeof createConditions>): GraphFault[] {
  const { condition, expression } = edge
  if (condition !== 'conditional') {
    if (expression === undefined) return []
    return [{ path: `${path}/expression`, reason: 'only an edge with condition "conditional" has one' }]
  }
  if (expression === undefined) return [{ path, reason: 'a conditional edge needs an expression' }]
  const reason = expressionFault(expression, compile)
  return reason ? [{ path: `${path}/expression`, reason }] : []
}

/** Why an expression cannot be used, or null. */
export function expressionFault(expression: string, compile: ReturnType<typeof createConditions>): string | null {
  try {
    compile(expression)
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** Whether a model can decide on this edge: it has to know what it is for, and what to call it. */
function checkChoice(edge: Edge, index: number, { graph }: Manifest): GraphFault[] {
  const path = `/graph/edges/${index}`
  const source = graph.nodes.find((node) => node.id === edge.source)
  const target = graph.nodes.find((node) => node.id === edge.target)
  const asked = edge.condition === 'llm_decide'
  const routed = source?.type === 'router' && source.prompt !== undefined
  if (!asked && !routed) return []
  if (asked && source?.type === 'router' && !routed) {
    return [{ path: `${path}/condition`, reason: `"${edge.source}" asks no model: give it a prompt` }]
  }
  if (asked && !edge.description && !target?.description) {
    return [{ path, reason: 'a model decides by a description: give one to this edge or to the node it leads to' }]
  }
  const same = graph.edges.findIndex((other) => other.source === edge.source && edgeName(other) === edgeName(edge))
  if (same === index || same < 0) return []
  return [{ path: `${path}/id`, reason: `a model could not tell it from /graph/edges/${same}; give it another id` }]
}

function checkMapping(edge: Edge, path: string, known: ReadonlySet<string>, inputs: readonly string[]): GraphFault[] {
  return Object.entries(edge.inputMapping ?? {}).flatMap(([to, from]) => {
    const at = `${path}/inputMapping/${to}`
    if (!inputs.includes(to)) return [{ path: at, reason: `"${to}" is not in inputKeys of "${edge.target}"` }]
    if (!known.has(from)) return [{ path: at, reason: `"${from}" is no property of the input, and no node writes it` }]
    return []
  })
}
