import { createConditions } from './conditions.ts'
import type { GraphFault } from './graph.ts'
import { memoryKeys } from './keys.ts'
import type { Edge, Manifest } from './schema.ts'

/** Of one node: a run asks the condition of each, and nothing can interrupt it. */
const mostEdges = 32

/** What is wrong with single edges, and pairs of edges of which a run could not say which one to take. */
export function checkEdges(manifest: Manifest): GraphFault[] {
  const { edges, nodes, terminalNodes } = manifest.graph
  const known = memoryKeys(manifest)
  const compile = createConditions(known)
  const ids = new Set<string>()
  return edges.flatMap((edge, index) => {
    const path = `/graph/edges/${index}`
    const fault = (field: string, reason: string) => ({ path: `${path}${field}`, reason })
    const faults: GraphFault[] = []
    for (const end of ['source', 'target'] as const) {
      if (!nodes.some((node) => node.id === edge[end])) faults.push(fault(`/${end}`, `there is no node "${edge[end]}"`))
    }
    if (edge.id !== undefined && ids.has(edge.id)) faults.push(fault('/id', `"${edge.id}" is used twice`))
    if (edge.id !== undefined) ids.add(edge.id)
    if (terminalNodes.includes(edge.source))
      faults.push(fault('/source', `"${edge.source}" is terminal: the run ends there`))
    if (edges.slice(0, index).filter(({ source }) => source === edge.source).length === mostEdges)
      faults.push(fault('/source', `more than ${mostEdges} edges leave "${edge.source}"`))
    const twin = edges.slice(0, index).findIndex((other) => mayFanOut(edge, other))
    if (twin >= 0) {
      const reason = `this edge and /graph/edges/${twin} could both be taken; parallel branches are not supported yet, so give them different priorities`
      faults.push(fault('/priority', reason))
    }
    const inputs = nodes.find((node) => node.id === edge.target)?.inputKeys
    return [...faults, ...checkExpression(edge, path, compile), ...checkMapping(edge, path, known, inputs)]
  })
}

/** The original follows both; here the one with the higher priority must be known before a run. */
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
  try {
    compile(expression)
    return []
  } catch (error) {
    return [{ path: `${path}/expression`, reason: error instanceof Error ? error.message : String(error) }]
  }
}

function checkMapping(
  edge: Edge,
  path: string,
  known: ReadonlySet<string>,
  inputs: readonly string[] = [],
): GraphFault[] {
  return Object.entries(edge.inputMapping ?? {}).flatMap(([to, from]) => {
    const at = `${path}/inputMapping/${to}`
    if (!inputs.includes(to)) return [{ path: at, reason: `"${to}" is not in inputKeys of "${edge.target}"` }]
    if (!known.has(from)) return [{ path: at, reason: `"${from}" is no property of the input, and no node writes it` }]
    return []
  })
}
