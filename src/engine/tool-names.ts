import type { GraphFault } from './graph.ts'
import {
  askUser,
  delegate,
  isMcpTool,
  loadSkill,
  platformTools,
  serverOf,
  setOutput,
  writeReport,
} from './platform-tools.ts'
import type { Manifest, Node } from './schema.ts'
import { skillFile } from './skills.ts'

type Files = ReadonlyMap<string, string>
type FunctionNode = Node & { type: 'function' }

/** Of a secret that is filled in when a request leaves. */
const placeholder = /\{\{ *credentials\.([A-Za-z0-9_-]+)/g

/** Tools that a model gets by another property of its node, and which one. */
const given: Readonly<Record<string, string>> = {
  [setOutput]: '"set_output" comes with outputKeys; it is not named here',
  [delegate]: '"delegate" comes with subAgents; it is not named here',
}
const forModels: readonly string[] = [loadSkill, askUser, setOutput, delegate]

/** Whether the tools that a node names exist, as far as a package can tell, and get what they need. */
export function checkToolNames(node: Node, path: string, manifest: Manifest, files: Files): GraphFault[] {
  if (node.type === 'function') {
    const reason = functionFault(node.tool) ?? nameFault(node.tool, manifest, files)
    return reason ? [{ path: `${path}/tool`, reason }] : checkArguments(node, path, manifest)
  }
  if (!('tools' in node)) return []
  return (node.tools ?? []).flatMap((name, at) => {
    const asksNobody = name === askUser && node.type === 'subagent'
    const reason = asksNobody ? 'a subagent talks to nobody' : (given[name] ?? nameFault(name, manifest, files))
    return reason ? [{ path: `${path}/tools/${at}`, reason }] : []
  })
}

function functionFault(name: string): string | null {
  if (forModels.includes(name)) return `"${name}" is for models; name it at an event_loop node`
  return name.endsWith('*') ? 'a function calls one tool; name that one' : null
}

function nameFault(name: string, { tools = [], mcpServers = [] }: Manifest, files: Files): string | null {
  if (isMcpTool(name)) {
    const server = serverOf(name)
    return mcpServers.some((one) => one.name === server) ? null : `there is no "${server}" in mcpServers`
  }
  if (name === loadSkill && ![...files.keys()].some((file) => skillFile.test(file)))
    return 'the package has no skills; name those of your organization in skills'
  const known = name === askUser || platformTools.has(name) || tools.some((tool) => tool.name === name)
  return known ? null : `there is no tool "${name}"`
}

/** What a function gives its tool: input keys and fixed arguments. */
function checkArguments(node: FunctionNode, path: string, { requiredCredentials = [] }: Manifest): GraphFault[] {
  const { tool, inputKeys = [], arguments: fixed = {} } = node
  const twice = inputKeys.flatMap((key, at) =>
    Object.hasOwn(fixed, key)
      ? [{ path: `${path}/inputKeys/${at}`, reason: `"${key}" stands in arguments as well` }]
      : [],
  )
  const known = new Set(requiredCredentials.map(({ name }) => name))
  const unknown = Object.entries(fixed).flatMap(([key, value]) =>
    [...JSON.stringify(value).matchAll(placeholder)]
      .filter(([, name]) => !known.has(name as string))
      .map(([, name]) => ({
        path: `${path}/arguments/${key}`,
        reason: `there is no "${name}" in requiredCredentials`,
      })),
  )
  if (twice.length + unknown.length > 0) return [...twice, ...unknown]
  const schema = platformTools.get(tool)?.inputSchema as { properties: object; required: readonly string[] } | undefined
  const given = new Set([...inputKeys, ...Object.keys(fixed)])
  const lacking = schema?.required.find((key) => !given.has(key))
  if (lacking) return [{ path: `${path}/inputKeys`, reason: `${tool} takes the key "${lacking}"` }]
  if (!schema || tool === writeReport) return []
  return [...given].flatMap((key) => {
    if (Object.hasOwn(schema.properties, key)) return []
    return [
      {
        path: `${path}/inputKeys`,
        reason: `${tool} takes no "${key}"; it takes ${Object.keys(schema.properties).join(', ')}`,
      },
    ]
  })
}
