import type { GraphFault } from './graph.ts'
import type { Manifest, Node } from './schema.ts'

/** Whether there are the subagents that nodes name, and each has somebody to work for and something to answer with. */
export function checkSubagents({ graph }: Manifest): GraphFault[] {
  const subagents = new Set(graph.nodes.filter(({ type }) => type === 'subagent').map(({ id }) => id))
  const lent = new Set(graph.nodes.flatMap((node) => (node.type === 'event_loop' && node.subAgents) || []))
  return graph.nodes.flatMap((node, index) => checkNode(node, `/graph/nodes/${index}`, subagents, lent))
}

function checkNode(node: Node, path: string, subagents: ReadonlySet<string>, lent: ReadonlySet<string>): GraphFault[] {
  if (node.type === 'event_loop') {
    return (node.subAgents ?? []).flatMap((id, at) => {
      const reason = `there is no subagent node "${id}"`
      return subagents.has(id) ? [] : [{ path: `${path}/subAgents/${at}`, reason }]
    })
  }
  if (node.type !== 'subagent') return []
  const faults: GraphFault[] = []
  if (!lent.has(node.id)) faults.push({ path, reason: `no node has "${node.id}" in subAgents` })
  if (!node.outputKeys?.length) {
    faults.push({ path: `${path}/outputKeys`, reason: 'a subagent answers with its outputs; name at least one' })
  }
  if (node.inputKeys?.includes('task')) {
    faults.push({ path: `${path}/inputKeys`, reason: '"task" is what a subagent is given; choose another key' })
  }
  if (node.maxVisits !== undefined) {
    faults.push({ path: `${path}/maxVisits`, reason: 'a subagent is not visited; maxToolCalls limits who asks for it' })
  }
  return faults
}
