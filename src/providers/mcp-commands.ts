import { readFileSync } from 'node:fs'

/** A program that the platform operator allows as an MCP server. `{tenant}` in an argument or a value is the tenant's id. */
export interface McpCommand {
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

export type McpCommands = Readonly<Record<string, McpCommand>>

const nameForm = /^[a-z0-9]+(-[a-z0-9]+)*$/

/**
 * Reads the operator's list, a JSON file `{ "name": { "command": "/usr/bin/x", "args": [], "env": {} } }`. There are
 * none without a file. Throws with the name of the entry that is wrong.
 */
export function readMcpCommands(file: string | undefined): McpCommands {
  if (file === undefined) return {}
  const document: unknown = JSON.parse(readFileSync(file, 'utf8'))
  if (!isRecord(document)) throw new Error(`${file}: must be an object of commands by name`)
  return Object.fromEntries(
    Object.entries(document).map(([name, entry]) => {
      if (!nameForm.test(name)) throw new Error(`${file}: "${name}" is not lower-case words joined by hyphens`)
      return [name, commandOf(`${file}: ${name}`, entry)]
    }),
  )
}

function commandOf(place: string, entry: unknown): McpCommand {
  const { command, args = [], env = {}, ...rest } = isRecord(entry) ? entry : {}
  if (typeof command !== 'string' || !command) throw new Error(`${place} needs a command`)
  if (!isTexts(args)) throw new Error(`${place}: args must be a list of texts`)
  if (!isRecord(env) || !isTexts(Object.values(env))) throw new Error(`${place}: env must be texts by name`)
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined) throw new Error(`${place}: ${unknown} is not known`)
  return { command, args, env: env as Record<string, string> }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isTexts(values: unknown): values is string[] {
  return Array.isArray(values) && values.every((value) => typeof value === 'string')
}
