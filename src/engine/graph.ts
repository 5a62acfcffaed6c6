import type { Edge, Graph, Node } from './schema.ts'

/** A fault of the graph's shape, at a JSON pointer inside agent.json. */
export interface GraphFault {
  readonly path: string
  readonly reason: string
}

/** Where edges lead from each node. */
export type Next = ReadonlyMap<string, readonly string[]>

/** Nodes that no run can reach or leave, and cycles that nothing limits. Edges to unknown nodes are ignored here. */
export function checkShape(graph: Graph): GraphFault[] {
  const ids = new Set(graph.nodes.map((node) => node.id))
  const edges = graph.edges.filter((edge) => ids.has(edge.source) && ids.has(edge.target))
  const helpers = helpersOf(graph)
  const starts = entriesOf(graph).filter((id) => ids.has(id))
  const ends = graph.terminalNodes.filter((id) => ids.has(id))
  const forwards = linksOf(edges, 'source', 'target')
  const reached = reach(starts, forwards)
  const leaving = reach(ends, linksOf(edges, 'target', 'source'))
  const unlimited = new Set(graph.nodes.filter((node) => node.maxVisits === undefined).map((node) => node.id))
  return [
    ...graph.nodes.flatMap((node, index) => (helpers.has(node.id) ? [] : checkReach(node, index, reached, leaving))),
    ...cyclesAmong(unlimited, forwards).map((cycle) => cycleFault(cycle, graph.nodes)),
  ]
}

/** Everywhere a run may start. */
export function entriesOf(graph: Graph): string[] {
  return [graph.entryNode, ...entryPointsOf(graph).values()]
}

/** Entry points by name: the nodes where they start. */
export function entryPointsOf({ entryPoints = {}, asyncEntryPoints = [] }: Graph): ReadonlyMap<string, string> {
  const named = asyncEntryPoints.map(({ id, entryNode }): [string, string] => [id, entryNode])
  return new Map([...Object.entries(entryPoints), ...named])
}

/** How people and models know an edge. */
export function edgeName({ id, target }: Edge): string {
  return id ?? target
}

/** Nodes that work for other nodes: no edge leads to them or away from them, and their outputs are not memory's. */
export function helpersOf(graph: Graph): ReadonlySet<string> {
  const helped = graph.nodes.flatMap((node) => {
    if (node.type === 'map') return [node.each]
    return node.type === 'subagent' ? [node.id] : []
  })
  return new Set(helped)
}

function checkReach(node: Node, index: number, reached: Set<string>, leaving: Set<string>): GraphFault[] {
  const path = `/graph/nodes/${index}`
  if (!reached.has(node.id)) return [{ path, reason: `no run can reach "${node.id}" from an entry` }]
  if (!leaving.has(node.id)) return [{ path, reason: `no terminal node can be reached from "${node.id}"` }]
  return []
}

function cycleFault(cycle: readonly string[], nodes: readonly Node[]): GraphFault {
  const index = nodes.findIndex((node) => node.id === cycle[0])
  const round = [...cycle, cycle[0]].join(' -> ')
  return { path: `/graph/nodes/${index}`, reason: `cycle without a limit: ${round}; give one of these nodes maxVisits` }
}

function linksOf(edges: readonly Edge[], from: 'source' | 'target', to: 'source' | 'target'): Next {
  const links = new Map<string, string[]>()
  for (const edge of edges) links.set(edge[from], [...(links.get(edge[from]) ?? []), edge[to]])
  return links
}

export function reach(starts: readonly string[], links: Next): Set<string> {
  const seen = new Set(starts)
  for (const id of seen) for (const target of links.get(id) ?? []) seen.add(target) // a Set visits what is added meanwhile
  return seen
}

/**
 * One cycle through each group of these nodes that lie on cycles together. Repeatedly drops what has no way on; what is
 * left has only ways on, so that walking it must come back.
 */
function cyclesAmong(ids: ReadonlySet<string>, links: Next): string[][] {
  const left = new Set(ids)
  const cycles: string[][] = []
  const waysOn = (id: string) => (links.get(id) ?? []).filter((target) => left.has(target))
  const dropDeadEnds = () => {
    for (let changed = true; changed; ) {
      changed = false
      for (const id of left) if (waysOn(id).length === 0) changed = left.delete(id)
    }
  }
  for (dropDeadEnds(); left.size > 0; dropDeadEnds()) {
    const walk: string[] = []
    let id = left.values().next().value as string
    while (!walk.includes(id)) {
      walk.push(id)
      id = waysOn(id)[0] as string
    }
    const cycle = walk.slice(walk.indexOf(id))
    cycles.push(cycle)
    for (const member of cycle) left.delete(member)
  }
  return cycles
}
