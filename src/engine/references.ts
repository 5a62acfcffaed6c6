import { createConditions } from './conditions.ts'
import { checkEdges, expressionFault } from './edges.ts'
import { checkShape, type GraphFault, helpersOf } from './graph.ts'
import { checkMap, helperFault } from './helpers.ts'
import { checkKeys, memoryKeys } from './keys.ts'
import { isPlatformTool } from './platform-tools.ts'
import { checkPolicy } from './policies.ts'
import type { Manifest, Node } from './schema.ts'
import { checkInputSchema, checkSchema } from './schemas.ts'
import { checkSubagents } from './subagents.ts'
import { checkToolNames } from './tool-names.ts'

/** A systemPrompt that is the path of a file, not the text itself. */
export const promptFile = /^prompts\/\S+\.md$/

/** Whether every name in the manifest leads to something, and the graph can be run. `files` are the package's texts. */
export function checkReferences(manifest: Manifest, files: ReadonlyMap<string, string>): GraphFault[] {
  const { graph, input, tools = [], approvalPolicies = [], mcpServers = [], requiredCredentials = [] } = manifest
  return [
    ...under('/input', input ? checkInputSchema(input) : []),
    ...twice('/graph/nodes', 'id', graph.nodes),
    ...twice('/tools', 'name', tools),
    ...twice('/approvalPolicies', 'name', approvalPolicies),
    ...twice('/mcpServers', 'name', mcpServers),
    ...twice('/requiredCredentials', 'name', requiredCredentials),
    ...approvalPolicies.flatMap((policy, index) => under(`/approvalPolicies/${index}`, checkPolicy(policy))),
    ...tools.flatMap((tool, index) => checkTool(tool, `/tools/${index}`, files)),
    ...graph.nodes.flatMap((node, index) => checkNode(node, `/graph/nodes/${index}`, manifest, files)),
    ...checkPlaces(manifest),
    ...checkSubagents(manifest),
    ...checkCriteria(manifest),
    ...checkKeys(manifest),
    ...checkEdges(manifest),
    ...checkShape(graph),
  ]
}

type Tool = NonNullable<Manifest['tools']>[number]

function checkTool(tool: Tool, path: string, files: ReadonlyMap<string, string>): GraphFault[] {
  const faults: GraphFault[] = []
  if (isPlatformTool(tool.name)) {
    faults.push({ path: `${path}/name`, reason: `"${tool.name}" is a tool of the platform; choose another name` })
  }
  if (!files.has(tool.file)) faults.push({ path: `${path}/file`, reason: `the package has no file ${tool.file}` })
  for (const field of ['inputSchema', 'outputSchema'] as const) {
    if (tool[field]) faults.push(...under(`${path}/${field}`, checkSchema(tool[field])))
  }
  return faults
}

function checkNode(node: Node, path: string, manifest: Manifest, files: ReadonlyMap<string, string>): GraphFault[] {
  const fault = (field: string, reason: string): GraphFault => ({ path: `${path}/${field}`, reason })
  const terminal = manifest.graph.terminalNodes.includes(node.id)
  const faults = node.endsAs && !terminal ? [fault('endsAs', 'only a terminal node ends the run')] : []
  faults.push(...checkToolNames(node, path, manifest, files))
  const noFile = (text: string) => promptFile.test(text) && !files.has(text)
  if ((node.type === 'event_loop' || node.type === 'subagent') && noFile(node.systemPrompt)) {
    faults.push(fault('systemPrompt', `the package has no file ${node.systemPrompt}`))
  }
  if (node.type === 'router') {
    if (node.outputKeys?.length) faults.push(fault('outputKeys', 'a router writes nothing'))
    if (node.prompt && noFile(node.prompt)) faults.push(fault('prompt', `the package has no file ${node.prompt}`))
  }
  if (node.type === 'map') faults.push(...checkMap(node, path, manifest))
  if (node.type === 'approval') faults.push(...checkApproval(node, path, manifest))
  return faults
}

function checkApproval(node: Node & { type: 'approval' }, path: string, manifest: Manifest): GraphFault[] {
  const faults: GraphFault[] = []
  if (node.policy && !manifest.approvalPolicies?.some((policy) => policy.name === node.policy)) {
    faults.push({ path: `${path}/policy`, reason: `there is no approval policy "${node.policy}"` })
  }
  if (node.editSchema && !node.proposal) {
    faults.push({ path: `${path}/editSchema`, reason: 'there is nothing to edit: proposal is missing' })
  }
  if (node.editSchema) faults.push(...under(`${path}/editSchema`, checkSchema(node.editSchema)))
  return faults
}

function checkCriteria(manifest: Manifest): GraphFault[] {
  const compile = createConditions(memoryKeys(manifest))
  return (manifest.goal.successCriteria ?? []).flatMap(({ expression }, at) => {
    const reason = expression && expressionFault(expression, compile)
    return reason ? [{ path: `/goal/successCriteria/${at}/expression`, reason }] : []
  })
}

/** The places of the graph that name a node. */
function checkPlaces({ graph }: Manifest): GraphFault[] {
  const ids = new Set(graph.nodes.map(({ id }) => id))
  const helpers = helpersOf(graph)
  const { entryNode, entryPoints = {}, asyncEntryPoints = [], terminalNodes, pauseNodes = [] } = graph
  const places = [
    { id: entryNode, path: '/graph/entryNode' },
    ...Object.entries(entryPoints).map(([name, id]) => ({ id, path: `/graph/entryPoints/${name}` })),
    ...asyncEntryPoints.map((entry, at) => ({ id: entry.entryNode, path: `/graph/asyncEntryPoints/${at}/entryNode` })),
    ...terminalNodes.map((id, at) => ({ id, path: `/graph/terminalNodes/${at}` })),
    ...pauseNodes.map((id, at) => ({ id, path: `/graph/pauseNodes/${at}` })),
  ]
  const twofold = asyncEntryPoints.flatMap(({ id }, at) => {
    const other = Object.hasOwn(entryPoints, id) || asyncEntryPoints.slice(0, at).some((entry) => entry.id === id)
    return other ? [{ path: `/graph/asyncEntryPoints/${at}/id`, reason: `"${id}" is used twice` }] : []
  })
  const wrong = places.flatMap(({ id, path }) => {
    const reason = ids.has(id) ? helperFault(id, helpers) : `there is no node "${id}"`
    return reason ? [{ path, reason }] : []
  })
  return [...wrong, ...twofold]
}

function twice<K extends string>(path: string, field: K, items: readonly Record<K, string>[]): GraphFault[] {
  const seen = new Set<string>()
  return items.flatMap((item, index) => {
    const name = item[field]
    if (seen.has(name)) return [{ path: `${path}/${index}/${field}`, reason: `"${name}" is used twice` }]
    seen.add(name)
    return []
  })
}

function under(path: string, faults: readonly GraphFault[]): GraphFault[] {
  return faults.map((fault) => ({ ...fault, path: `${path}${fault.path}` }))
}
