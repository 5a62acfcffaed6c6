import type { GraphFault } from './graph.ts'
import { memoryKeys } from './keys.ts'
import type { Graph, Manifest, Node } from './schema.ts'

type MapNode = Node & { type: 'map' }

const helping = ['function', 'event_loop', 'approval']

/** What is wrong with a map, and with the node that works on its items. */
export function checkMap(node: MapNode, path: string, manifest: Manifest): GraphFault[] {
  const fault = (field: string, reason: string): GraphFault => ({ path: `${path}/${field}`, reason })
  const faults: GraphFault[] = []
  if (node.outputKeys?.length !== 1) faults.push(fault('outputKeys', 'a map has one output key: the list of results'))
  if (node.inputKeys) faults.push(fault('inputKeys', 'a map reads the key that `over` names; leave this out'))
  if (reserved(manifest).has(node.itemKey)) {
    faults.push(fault('itemKey', `"${node.itemKey}" is a key of memory already; choose another for the item`))
  }
  const reason = unfit(node, manifest.graph)
  return reason ? [...faults, fault('each', reason)] : faults
}

/** An item may stand for no key of memory, and least of all for a person's decision. */
function reserved(manifest: Manifest): ReadonlySet<string> {
  return new Set([...memoryKeys(manifest), ...manifest.graph.nodes.map(({ id }) => id)])
}

function unfit({ id, each }: MapNode, graph: Graph): string | null {
  const helper = graph.nodes.find((node) => node.id === each)
  if (!helper) return `there is no node "${each}"`
  if (!helping.includes(helper.type))
    return `"${each}" is a ${helper.type}; an item is for one of ${helping.join(', ')}`
  if (graph.nodes.some((node) => node.type === 'map' && node.id !== id && node.each === each)) {
    return `"${each}" works for another map`
  }
  if (helper.maxVisits !== undefined) return `"${each}" is not visited; it has no maxVisits`
  return null
}

/** Places that name a node which works for another one: such a node is nowhere on the way of a run. */
export function helperFault(id: string, helpers: ReadonlySet<string>): string | null {
  return helpers.has(id) ? `"${id}" works for another node; no run comes here by itself` : null
}
