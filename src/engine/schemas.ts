import Ajv from 'ajv/dist/2020.js'
import { keyPattern } from './schema-words.ts'

interface SchemaFault {
  /** JSON pointer inside the schema. */
  readonly path: string
  readonly reason: string
}

type Schema = Record<string, unknown>

const draft = 'https://json-schema.org/draft/2020-12/schema'
const formats = ['date', 'date-time', 'email', 'uuid', 'decimal']
const key = new RegExp(keyPattern)

/** Keywords that hold one schema, a list of them, or a map of them. Everything else holds plain values. */
const inside = new Set(['items', 'not', 'if', 'then', 'else', 'additionalProperties', 'contains', 'propertyNames'])
const lists = new Set(['prefixItems', 'allOf', 'anyOf', 'oneOf'])
const maps = new Set(['properties', 'dependentSchemas'])
/** Refused: a stranger's regular expression can run for ever, and references lead out of the schema or round in it. */
const refused: Readonly<Record<string, string>> = {
  pattern: 'patterns are not supported; use format, enum, minLength or maxLength',
  patternProperties: 'patterns are not supported; name the properties',
  $id: 'a schema inside a package has no name of its own',
  $ref: 'references are not supported; write the schema out',
  $dynamicRef: 'references are not supported; write the schema out',
  $defs: 'references are not supported; write the schema out',
  definitions: 'references are not supported; write the schema out',
  $anchor: 'references are not supported; write the schema out',
  $dynamicAnchor: 'references are not supported; write the schema out',
  uniqueItems: 'comparing every item with every other takes too long; check it in a tool, or use uniqueBy for a file',
  unevaluatedItems: 'not supported; use items',
  unevaluatedProperties: 'not supported; use additionalProperties',
}

/** Checking a large value costs as much as the schema has parts. */
const maxCharacters = 32_000
const maxParts = 300

/** Only its meta-schema is used: compiling a stranger's schema here would keep it in memory. */
const ajv = new Ajv.default({ strict: false, allErrors: true, validateFormats: false, logger: false })

/** What is wrong with a JSON Schema that a package brings, and what in it this platform does not take. */
export function checkSchema(schema: unknown): SchemaFault[] {
  const text = JSON.stringify(schema)
  if (text.length > maxCharacters || text.split('{').length > maxParts) {
    return [{ path: '', reason: `a schema has at most ${maxCharacters} characters and ${maxParts} objects` }]
  }
  const faults = walk(schema, '')
  if (faults.length > 0) return faults
  const { $schema = draft } = schema as Schema
  if ($schema !== draft) return [{ path: '/$schema', reason: `must be ${draft}` }]
  if (ajv.validateSchema(schema as Schema)) return []
  return (ajv.errors ?? []).map(({ instancePath, message }) => ({ path: instancePath, reason: message ?? 'is wrong' }))
}

/** The schema of a session's input: an object whose properties become keys of memory, some of them files. */
export function checkInputSchema(input: Schema): SchemaFault[] {
  const faults = checkSchema(input)
  if (faults.length > 0) return faults
  if (input.type !== 'object') return [{ path: '/type', reason: 'the input is an object; must be "object"' }]
  return Object.entries((input.properties ?? {}) as Schema).flatMap(([name, property]) => {
    const path = `/properties/${escapePointer(name)}`
    if (!key.test(name)) return [{ path, reason: `"${name}" cannot be a key of memory; it must match ${keyPattern}` }]
    return isObject(property) ? checkFile(name, property, path) : []
  })
}

/** A property that is uploaded as a file, and the rows that it must hold. */
function checkFile(name: string, property: Schema, path: string): SchemaFault[] {
  const { contentMediaType, contentSchema } = property
  if (contentMediaType === undefined && contentSchema === undefined) return []
  if (contentMediaType !== 'text/csv') return [{ path: `${path}/contentMediaType`, reason: 'must be text/csv' }]
  if (!/^[a-z][a-z0-9_]*$/.test(name)) {
    return [{ path, reason: `"${name}" names a file; use lower-case letters, digits and _` }]
  }
  if (!isObject(contentSchema)) return [{ path, reason: 'contentSchema is missing: it says which columns there are' }]
  const faults = checkSchema(contentSchema).map((fault) => ({ ...fault, path: `${path}/contentSchema${fault.path}` }))
  if (faults.length > 0) return faults
  const { type, items, uniqueBy } = contentSchema
  if (type !== 'array') return [{ path: `${path}/contentSchema/type`, reason: 'must be "array": the rows of the file' }]
  const columns = isObject(items) && isObject(items.properties) ? items.properties : {}
  if (Object.keys(columns).length === 0) {
    return [{ path: `${path}/contentSchema/items`, reason: 'must name the columns in properties' }]
  }
  if (uniqueBy !== undefined && !(typeof uniqueBy === 'string' && Object.hasOwn(columns, uniqueBy))) {
    return [{ path: `${path}/contentSchema/uniqueBy`, reason: 'must be the name of a column' }]
  }
  return []
}

function walk(schema: unknown, path: string): SchemaFault[] {
  if (typeof schema === 'boolean') return []
  if (!isObject(schema)) return [{ path, reason: 'must be a schema: an object, true or false' }]
  return Object.entries(schema).flatMap(([keyword, value]) => {
    const at = `${path}/${escapePointer(keyword)}`
    if (Object.hasOwn(refused, keyword)) return [{ path: at, reason: refused[keyword] as string }]
    if (keyword === 'format' && !formats.includes(value as string)) {
      return [{ path: at, reason: `format must be one of ${formats.join(', ')}` }]
    }
    if (inside.has(keyword)) return walk(value, at)
    if (lists.has(keyword) && Array.isArray(value)) return value.flatMap((item, index) => walk(item, `${at}/${index}`))
    if (maps.has(keyword) && isObject(value)) {
      return Object.entries(value).flatMap(([name, item]) => walk(item, `${at}/${escapePointer(name)}`))
    }
    return []
  })
}

/** One step of a JSON pointer (RFC 6901). */
export function escapePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1')
}

function isObject(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
