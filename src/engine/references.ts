import { checkEdges } from './edges.ts'
import { checkShape, type GraphFault } from './graph.ts'
import { checkKeys } from './keys.ts'
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
  if (node.type === 'event_loop' || node.type === 'subagent') {
    if (promptFile.test(node.systemPrompt) && !files.has(node.systemPrompt)) {
      faults.push(fault('systemPrompt', `the package has no file ${node.systemPrompt}`))
    }
  }
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

/** The places of the graph that name a node. */
function checkPlaces({ graph }: Manifest): GraphFault[] {
  const types = new Map(graph.nodes.map((node) => [node.id, node.type]))
  const missing = (id: string, path: string) => (types.has(id) ? [] : [{ path, reason: `there is no node "${id}"` }])
  const { entryNode, entryPoints = {}, terminalNodes, pauseNodes = [] } = graph
  return [
    ...missing(entryNode, '/graph/entryNode'),
    ...Object.entries(entryPoints).flatMap(([name, id]) => missing(id, `/graph/entryPoints/${name}`)),
    ...terminalNodes.flatMap((id, index) => missing(id, `/graph/terminalNodes/${index}`)),
    ...pauseNodes.flatMap((id, index) => {
      const path = `/graph/pauseNodes/${index}`
      if (types.get(id) === 'approval') return []
      const reason = `"${id}" is no approval node; pausing at other nodes is not supported yet`
      return types.has(id) ? [{ path, reason }] : missing(id, path)
    }),
  ]
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
