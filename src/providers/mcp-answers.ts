import type { CallToolResult, Tool } from '@modelcontextprotocol/client'
import { AppError } from '../errors.ts'
import { shapeOf } from './json-shape.ts'
import { maskAll } from './mask.ts'

/** A tool as its server lists it, within bounds. A tool with a problem is shown to people and never to a model. */
export interface McpTool {
  readonly name: string
  readonly description: string
  readonly inputSchema: object
  readonly problem?: string
}

export type McpAnswer =
  | { readonly ok: true; readonly output: unknown }
  | { readonly ok: false; readonly error: { readonly code: 'mcp_tool_failed'; readonly message: string } }

const maxTools = 256
const maxName = 128
const maxDescription = 2000
const maxSchema = { characters: 20_000, depth: 30 }
const maxListed = 1024 * 1024
const maxOutput = { characters: 1024 * 1024, depth: 60 }
/** What can be seen by a model and not by people: control characters, tags, marks of direction. */
const unseen = /[^\P{C}\n\t]/gu

/** The tools of a server, bounded one by one and in all, without secrets. Throws mcp_bad_answer when there are too many. */
export function readTools(tools: readonly Tool[], mask: (text: string) => string): McpTool[] {
  if (tools.length > maxTools) {
    throw new AppError('mcp_bad_answer', `the MCP server lists ${tools.length} tools; at most ${maxTools} are taken in`)
  }
  const read = tools.map((tool) => readTool(tool, mask))
  const size = JSON.stringify(read).length
  if (size > maxListed) {
    throw new AppError('mcp_bad_answer', `the MCP server lists its tools in ${size} characters, more than ${maxListed}`)
  }
  return read
}

function readTool(tool: Tool, mask: (text: string) => string): McpTool {
  const shown = (text: string, most: number) => mask(text.replace(unseen, '')).slice(0, most)
  const description = shown(tool.description ?? tool.title ?? '', maxDescription)
  const problem = problemOf(tool, mask)
  if (problem) return { name: shown(tool.name, maxName), description, inputSchema: { type: 'object' }, problem }
  return { name: tool.name, description, inputSchema: maskAll(tool.inputSchema, mask) as object }
}

function problemOf({ name, inputSchema }: Tool, mask: (text: string) => string): string | undefined {
  if (name.length > maxName) return `its name is longer than ${maxName} characters`
  if (!/^[\x21-\x7e]+$/.test(name)) return 'its name holds characters that cannot be shown to a model'
  if (mask(name) !== name) return 'its name holds a secret'
  const schema = textOf(inputSchema)
  if (schema === undefined || schema.length > maxSchema.characters || shapeOf(schema).depth > maxSchema.depth) {
    return 'its input schema is too large'
  }
  return undefined
}

/** What a tool answered: its structured content where there is some, else its text. Binary content is named, not kept. */
export function readAnswer(answer: CallToolResult, mask: (text: string) => string): McpAnswer {
  const text = (answer.content ?? []).map(blockText).join('\n')
  if (answer.isError) {
    return { ok: false, error: { code: 'mcp_tool_failed', message: mask(text).slice(0, 2000) || 'the tool failed' } }
  }
  const { structuredContent } = answer
  if (structuredContent === undefined) return { ok: true, output: bounded(mask(text)) }
  const json = textOf(structuredContent)
  if (json === undefined || shapeOf(json).depth > maxOutput.depth) {
    throw new AppError('mcp_bad_answer', `the tool's answer is nested deeper than ${maxOutput.depth}`)
  }
  return { ok: true, output: maskAll(JSON.parse(bounded(json)), mask) }
}

function bounded(text: string): string {
  if (text.length <= maxOutput.characters) return text
  throw new AppError('mcp_bad_answer', `the tool answered ${text.length} characters, more than ${maxOutput.characters}`)
}

type Block = CallToolResult['content'][number]

function blockText(block: Block): string {
  switch (block.type) {
    case 'text':
      return block.text
    case 'resource':
      return 'text' in block.resource ? block.resource.text : left(block.resource.mimeType, block.resource.blob)
    case 'resource_link':
      return `[link ${block.uri}]`
    default:
      return left(block.mimeType, block.data)
  }
}

function left(mediaType: string | undefined, base64: string): string {
  return `[${(mediaType ?? 'binary content').slice(0, 100)}, ${Math.floor((base64.length * 3) / 4)} bytes, left out]`
}

/** Undefined for what is nested too deeply to be written at all. */
function textOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch {
    return undefined
  }
}
