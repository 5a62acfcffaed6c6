import { type TSchema, Type } from 'typebox'

// The words that the schema of the package format is written in.

/** A key of memory. */
export const keyPattern = '^[a-z][A-Za-z0-9_]{0,63}$'
const word = '[a-z][a-z0-9]*([-_][a-z0-9]+)*'
export const wordPattern = `^${word}$`
/** A word, or `server__tool` for a tool of an MCP server, `server__*` for all of them. */
export const toolPattern = `^${word}(__([A-Za-z0-9_.-]{1,64}|\\*))?$`

export const text = (maxLength: number, description: string, minLength = 0) =>
  Type.String({ minLength, maxLength, description })
export const Key = Type.String({
  pattern: keyPattern,
  description: 'A key of the memory that all nodes of a run share.',
})
export const Word = (description: string) => Type.String({ pattern: wordPattern, maxLength: 64, description })
export const ToolName = (description: string) => Type.String({ pattern: toolPattern, maxLength: 130, description })
export const whole = (minimum: number, maximum: number, description: string, byDefault?: number) =>
  Type.Integer({ minimum, maximum, description, ...(byDefault === undefined ? {} : { default: byDefault }) })
export const list = <T extends TSchema>(item: T, maxItems: number, description: string) =>
  Type.Array(item, { maxItems, uniqueItems: true, description })
export const strict = <P extends Record<string, TSchema>>(properties: P, description?: string) =>
  Type.Object(properties, { additionalProperties: false, ...(description ? { description } : {}) })
export const JsonSchema = (description: string) =>
  Type.Unsafe<Record<string, unknown>>({ type: 'object', description: `${description} JSON Schema 2020-12.` })
// With its type: of items without one, uniqueItems compares each with every other.
export const oneOf = <T extends string>(values: readonly T[], description: string) =>
  Type.Unsafe<T>({ type: 'string', enum: values, description })
