import { canBeNamed } from './conditions.ts'
import { entriesOf, type GraphFault, helpersOf } from './graph.ts'
import type { Manifest, Node } from './schema.ts'

/** Keys that a node writes. An approval writes its decision under its own id. */
export function writtenBy(node: Node): string[] {
  return node.type === 'approval' ? [node.id, ...(node.proposal ? [node.proposal] : [])] : (node.outputKeys ?? [])
}

/** Every key that memory can ever have in a run of this package. What helpers write goes to whom they work for. */
export function memoryKeys(manifest: Manifest): Set<string> {
  const helpers = helpersOf(manifest.graph)
  const own = manifest.graph.nodes.filter(({ id }) => !helpers.has(id))
  return new Set([...inputKeysOf(manifest), ...own.flatMap(writtenBy)])
}

/** Keys that a node reads when its task begins; an edge that leads there may name others for them. */
export function readBy(node: Node): readonly string[] {
  return node.type === 'map' ? [node.over] : (node.inputKeys ?? [])
}

/** The item that a map gives to this node. */
function itemFor({ id }: Node, { graph }: Manifest): string[] {
  return graph.nodes.flatMap((node) => (node.type === 'map' && node.each === id ? [node.itemKey] : []))
}

/** What a session may give: the properties of `input`; without one, whatever the first nodes read. */
export function inputKeysOf({ input, graph }: Manifest): string[] {
  if (input) return Object.keys((input.properties ?? {}) as object)
  const entries = new Set(entriesOf(graph))
  return graph.nodes.filter((node) => entries.has(node.id)).flatMap((node) => node.inputKeys ?? [])
}

/** Keys that nobody writes, keys that cannot be used, and decisions that something else could forge. */
export function checkKeys(manifest: Manifest): GraphFault[] {
  const known = memoryKeys(manifest)
  const mapped = (node: Node) =>
    manifest.graph.edges
      .filter((edge) => edge.target === node.id)
      .flatMap((edge) => Object.keys(edge.inputMapping ?? {}))
  return [
    ...inputKeysOf(manifest).flatMap((key) => unusable(key, `/input/properties/${key}`)),
    ...manifest.graph.nodes.flatMap((node, index) => {
      const path = `/graph/nodes/${index}`
      const readable = new Set([...known, ...mapped(node), ...itemFor(node, manifest)])
      return [...checkReads(node, path, readable), ...checkWrites(node, path)]
    }),
    ...checkForgery(manifest),
  ]
}

function checkReads(node: Node, path: string, known: ReadonlySet<string>): GraphFault[] {
  const unknown = (key: string, at: string) =>
    known.has(key) ? [] : [{ path: at, reason: `"${key}" is no property of the input, and no node writes it` }]
  const each = (field: string, keys: readonly string[] = []) =>
    keys.flatMap((key, at) => unknown(key, `${path}/${field}/${at}`))
  if (node.type === 'map') return unknown(node.over, `${path}/over`)
  const faults = each('inputKeys', node.inputKeys)
  if (node.type !== 'approval') return faults
  const placeholders = placeholdersOf(node.message).flatMap((key) => unknown(key, `${path}/message`))
  return [...faults, ...each('evidence', node.evidence), ...placeholders]
}

function checkWrites(node: Node, path: string): GraphFault[] {
  const written = new Set(writtenBy(node))
  const faults = (node.outputKeys ?? []).flatMap((key, at) => unusable(key, `${path}/outputKeys/${at}`))
  for (const [at, key] of (node.nullableOutputKeys ?? []).entries()) {
    if (!written.has(key))
      faults.push({ path: `${path}/nullableOutputKeys/${at}`, reason: `"${key}" is not in outputKeys` })
  }
  if (node.type !== 'approval') return faults
  for (const [at, key] of (node.outputKeys ?? []).entries()) {
    if (written.has(key)) continue
    const reason = `an approval writes its decision and its proposal; "${key}" is neither`
    faults.push({ path: `${path}/outputKeys/${at}`, reason })
  }
  if (!/^[a-z][a-z0-9_]*$/.test(node.id)) {
    const reason = 'the id of an approval is a key of memory; use lower-case letters, digits and _'
    faults.push({ path: `${path}/id`, reason })
  }
  return [...faults, ...unusable(node.id, `${path}/id`)]
}

function unusable(key: string, path: string): GraphFault[] {
  return canBeNamed(key) ? [] : [{ path, reason: `"${key}" is a word of the condition language; choose another key` }]
}

/** A decision must come from a person only: nothing else may write its key. */
function checkForgery(manifest: Manifest): GraphFault[] {
  const approvals = new Set(manifest.graph.nodes.filter((node) => node.type === 'approval').map((node) => node.id))
  const reason = (key: string) => `"${key}" holds the decision of that approval; choose another key`
  return [
    ...inputKeysOf(manifest)
      .filter((key) => approvals.has(key))
      .map((key) => ({ path: `/input/properties/${key}`, reason: reason(key) })),
    ...manifest.graph.nodes.flatMap((node, index) =>
      writtenBy(node)
        .filter((key) => approvals.has(key) && !(node.type === 'approval' && key === node.id && node.proposal !== key))
        .map((key) => ({ path: `/graph/nodes/${index}/outputKeys`, reason: reason(key) })),
    ),
  ]
}

/** A key in an approval's message, and the space around it: to skip that here would take time without end. */
export const placeholder = /\{\{([^{}]*)\}\}/g

/** The keys in {{…}} of an approval's message. */
export function placeholdersOf(message: string): string[] {
  return [...message.matchAll(placeholder)].map((match) => (match[1] as string).trim())
}
