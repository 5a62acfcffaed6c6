import { isMcpTool, isPlatformTool } from './platform-tools.ts'

/**
 * agent.json of the engine that this one supersedes: snake_case, with a few other names. It is brought into our form
 * before anything is checked; a name in both forms is left alone and refused later as unknown.
 */
type Json = Record<string, unknown>

const names: Readonly<Record<string, string>> = {
  node_type: 'type',
  condition_expr: 'expression',
  max_node_visits: 'maxVisits',
}
/** What the original writes when it means nothing. */
const nothing = {
  client_facing: false,
  sub_agents: [],
  success_criteria: null,
  model: null,
  max_node_visits: 0,
} as Json
/** Of a node: `description` and the like may be empty there; these may not be set here yet. */
const emptyWhenUnused = new Set(['async_entry_points', 'sub_agents', 'input_schema', 'output_schema'])

/** The document in our form. Never throws; what is not an object stays as it is. */
export function fromOriginal(document: unknown): unknown {
  if (!isObject(document)) return document
  const { metadata, required_tools, ...rest } = document
  const root = rename(rest)
  const about = isObject(metadata) ? metadata : {}
  if (metadata !== undefined && !isObject(metadata)) root.metadata = metadata
  if (isObject(root.goal)) root.goal = goalOf(root.goal)
  if (isObject(root.graph)) root.graph = graphOf(root.graph)
  if (Array.isArray(root.tools)) root.tools = root.tools.map((tool) => (isObject(tool) ? rename(tool) : tool))
  if (Array.isArray(root.approvalPolicies)) root.approvalPolicies = root.approvalPolicies.map(policyOf)
  if (metadata === undefined && required_tools === undefined) return root
  return { ...identityOf(root, about), ...root, ...toolsOf(root, required_tools) }
}

/** A JSON pointer into our form, as the author of the document finds the place. */
export function locate(document: unknown, pointer: string): string {
  let at = document
  return pointer
    .split('/')
    .map((part, depth) => {
      if (depth === 0) return part
      const known = isObject(at) && !Object.hasOwn(at, part) ? (originalName(at, part) ?? part) : part
      at = isObject(at) || Array.isArray(at) ? (at as Json)[known] : undefined
      return known
    })
    .join('/')
}

function goalOf(goal: Json): Json {
  const { successCriteria, constraints, ...rest } = rename(goal)
  const each = (list: unknown) =>
    Array.isArray(list) ? list.map((item) => (isObject(item) ? rename(item) : item)) : list
  return dropUndefined({ ...rest, successCriteria: each(successCriteria), constraints: each(constraints) })
}

function graphOf(graph: Json): Json {
  const renamed = rename(graph)
  const each = (list: unknown) =>
    Array.isArray(list) ? list.map((item) => (isObject(item) ? rename(item) : item)) : list
  const loopConfig = isObject(renamed.loopConfig) ? rename(renamed.loopConfig) : renamed.loopConfig
  return dropUndefined({
    ...renamed,
    nodes: withSubagents(each(renamed.nodes), graph.nodes),
    edges: each(renamed.edges),
    asyncEntryPoints: entriesOf(renamed.asyncEntryPoints),
    loopConfig,
  })
}

/** There any node may work for another one; here those that do are a type of their own. */
function withSubagents(nodes: unknown, original: unknown): unknown {
  if (!Array.isArray(nodes) || !Array.isArray(original)) return nodes
  const lent = new Set(original.flatMap((node) => (isObject(node) ? node.sub_agents : [])))
  const works = (node: unknown): node is Json => isObject(node) && node.type === 'event_loop' && lent.has(node.id)
  return nodes.map((node) => (works(node) ? { ...node, type: 'subagent' } : node))
}

function entriesOf(entries: unknown): unknown {
  if (!Array.isArray(entries)) return entries
  return entries.map((entry) => {
    if (!isObject(entry)) return entry
    const { triggerConfig, ...rest } = rename(entry)
    return dropUndefined({ ...rest, triggerConfig: isObject(triggerConfig) ? rename(triggerConfig) : triggerConfig })
  })
}

function policyOf(policy: unknown): unknown {
  if (!isObject(policy)) return policy
  const { expiry, ...rest } = rename(policy)
  if (!isObject(expiry)) return dropUndefined({ ...rest, expiry })
  const { escalateTo, ...end } = rename(expiry)
  const next = isObject(escalateTo) ? rename(escalateTo) : escalateTo
  return { ...rest, expiry: dropUndefined({ ...end, escalateTo: next }) }
}

function identityOf(root: Json, about: Json): Json {
  const goal = isObject(root.goal) ? root.goal : {}
  const name = about.name ?? goal.id
  return dropUndefined({
    name: typeof name === 'string' ? name.replaceAll('_', '-') : name,
    version: about.version ?? '1.0.0',
    description: about.description ?? goal.description,
  })
}

/** The original looks a required tool up by name; here it is the module tools/<name>.js of the package. */
function toolsOf(root: Json, required: unknown): Json {
  if (required === undefined) return {}
  if (!Array.isArray(required)) return { required_tools: required }
  const declared = Array.isArray(root.tools) ? root.tools : []
  const known = new Set(declared.map((tool) => (isObject(tool) ? tool.name : undefined)))
  const elsewhere = (name: unknown) => typeof name === 'string' && (isPlatformTool(name) || isMcpTool(name))
  const more = required.filter((name) => !known.has(name) && !elsewhere(name))
  return {
    tools: [...declared, ...more.map((name) => ({ name, file: `tools/${name}.js`, description: String(name) }))],
  }
}

function rename(object: Json): Json {
  const entries = Object.entries(object).flatMap(([key, value]) => {
    if (Object.hasOwn(nothing, key) && key.includes('_') && same(value, nothing[key])) return []
    if (key === 'model' && value === null) return []
    if (emptyWhenUnused.has(key) && isEmpty(value)) return []
    const ours = nameOf(key)
    return [[ours !== key && Object.hasOwn(object, ours) ? key : ours, value]]
  })
  return Object.fromEntries(entries)
}

function nameOf(key: string): string {
  if (Object.hasOwn(names, key)) return names[key] as string
  return /^[a-z]+(_[a-z]+)+$/.test(key) ? key.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase()) : key
}

function originalName(object: Json, ours: string): string | undefined {
  return Object.keys(object).find((key) => nameOf(key) === ours)
}

function isEmpty(value: unknown): boolean {
  return value === null || (typeof value === 'object' && Object.keys(value).length === 0)
}

function same(value: unknown, other: unknown): boolean {
  return JSON.stringify(value) === JSON.stringify(other)
}

function dropUndefined(object: Json): Json {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined))
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
