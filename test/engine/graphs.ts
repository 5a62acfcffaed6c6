import type { Effect } from '../../src/engine/machine.ts'
import type { AgentPackage } from '../../src/engine/package.ts'
import { type Draft, packageOf, smallest } from './packages.ts'
import { done, type Played, type World } from './play.ts'

/**
 * A package from its edges, each `a > b` or `a > b condition`. Every node is a tool that writes a key of its own name;
 * those without a way on are terminal, the first of all is where it starts.
 */
export function draftOf(
  edges: readonly string[],
  nodes: Readonly<Record<string, Draft>> = {},
  graph: Draft = {},
): Draft {
  const draft = smallest()
  const parts = edges.map((edge) => /^(\w+) > (\w+) ?(.*)$/.exec(edge)!.slice(1) as [string, string, string])
  const ids = [...new Set([...parts.flatMap((part) => part.slice(0, 2)), ...Object.keys(nodes)])]
  const standard = (id: string) => ({ id, type: 'function', tool: 'echo', inputKeys: [], outputKeys: [id] })
  draft.input = { type: 'object', properties: { x: {}, rows: {} } }
  draft.graph = {
    entryNode: ids[0],
    nodes: ids.map((id) =>
      nodes[id]?.type && nodes[id].type !== 'function' ? { id, ...nodes[id] } : { ...standard(id), ...nodes[id] },
    ),
    edges: parts.map(([source, target, condition]) => ({ source, target, ...conditionOf(condition) })),
    terminalNodes: parts
      .map(([, target]) => target)
      .filter((id, at, all) => !parts.some(([from]) => from === id) && all.indexOf(id) === at),
    ...graph,
  }
  return draft
}

export function graphOf(...parts: Parameters<typeof draftOf>): AgentPackage {
  return packageOf(draftOf(...parts))
}

function conditionOf(text: string): Draft {
  if (text === '') return { condition: 'on_success' }
  if (text === 'llm_decide') return { condition: text, description: 'When it fits.' }
  return /^(always|on_failure)$/.test(text) ? { condition: text } : { condition: 'conditional', expression: text }
}

/** Tools that answer with a key of their node's name; `by` gives other answers for some nodes. */
export function world(
  by: Readonly<Record<string, ReturnType<NonNullable<World['tool']>>>> = {},
  rest: World = {},
): World {
  return { tool: ({ nodeId }) => by[nodeId] ?? done({ [nodeId]: nodeId }), ...rest }
}

/** Always answers the open effect of the node that comes first in this list. */
export function inOrder(...nodes: readonly string[]) {
  return (open: readonly Effect[]) => {
    const places = open.map(({ nodeId }) => (nodes.includes(nodeId) ? nodes.indexOf(nodeId) : nodes.length))
    return places.indexOf(Math.min(...places))
  }
}

export function eventsOf({ transitions }: Played, type: string) {
  return transitions.flatMap(({ events }) => events.filter((event) => event.type === type).map(({ data }) => data))
}

export const outcome = ({ last }: Played) => [last.status, last.error?.code].filter(Boolean).join(': ')

/** Memory without what the machine has let go. */
export function memoryOf({ memory }: Played): Record<string, unknown> {
  return Object.fromEntries(Object.entries(memory).filter(([key]) => !key.startsWith('$')))
}
