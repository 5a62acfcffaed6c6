import type { McpTool } from '../../providers/mcp-answers.ts'

/** As a model knows it: its server and its name in the letters that every model takes, at most 64 of them. */
export function calledAs(server: string, tool: string): string {
  return `${server}__${tool.replace(/[^A-Za-z0-9_-]/g, '_')}`.slice(0, 64)
}

export interface NamedTool extends McpTool {
  readonly calledAs: string
  readonly allowed: boolean
}

/**
 * The tools of a server under the names that models call them by. Where two would have one name, the one that is really
 * called so keeps it, else the first, and the others get a problem: a server cannot put a tool in another one's place.
 */
export function nameTools(server: string, allowedTools: readonly string[], tools: readonly McpTool[]): NamedTool[] {
  const owners = new Map<string, McpTool>()
  for (const tool of tools) {
    const name = calledAs(server, tool.name)
    const owner = owners.get(name)
    const isItsOwn = (one: McpTool) => name === `${server}__${one.name}`
    if (!owner || (isItsOwn(tool) && !isItsOwn(owner))) owners.set(name, tool)
  }
  return tools.map((tool) => {
    const name = calledAs(server, tool.name)
    const taken = owners.get(name) === tool ? undefined : `${name} is the name of another tool of this server`
    const problem = tool.problem ?? taken
    const allowed = allowedTools.includes('*') || allowedTools.includes(tool.name)
    return { ...tool, calledAs: name, allowed, ...(problem ? { problem } : {}) }
  })
}
