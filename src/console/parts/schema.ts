/** The part of JSON Schema that forms are made of. */
export interface JsonSchema {
  readonly type?: string | readonly string[]
  readonly title?: string
  readonly description?: string
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly default?: unknown
  readonly format?: string
  readonly maxLength?: number
  readonly minLength?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly readOnly?: boolean
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly items?: JsonSchema
  readonly contentMediaType?: string
}

export type Values = Readonly<Record<string, unknown>>

const decimal = /^-?\d{1,20}(\.\d{1,10})?$/

/** What is plainly wrong with a value, in a sentence; the server checks all of it. */
export function faultOf(schema: JsonSchema, value: unknown, required: boolean): string | undefined {
  if (value === undefined || value === '' || value === null) {
    return required && schema.minLength !== 0 ? 'A value is needed' : undefined
  }
  if (schema.enum && !schema.enum.includes(value)) return 'Choose one of the values'
  if (typeof value === 'string') {
    if (schema.format === 'decimal' && !decimal.test(value)) return 'A number such as 12.50'
    if (schema.maxLength !== undefined && value.length > schema.maxLength)
      return `At most ${schema.maxLength} characters`
    if (schema.minLength !== undefined && value.length < schema.minLength)
      return `At least ${schema.minLength} characters`
  }
  return undefined
}

/** What a new form starts with. */
export function defaultsOf(schema: JsonSchema): Values {
  const entries = Object.entries(schema.properties ?? {}).filter(([, property]) => property.default !== undefined)
  return Object.fromEntries(entries.map(([name, property]) => [name, property.default]))
}

/**
 * The columns of an editable table, when the schema is one of flat rows: first as `required` lists them, since the
 * database keeps the order of lists, but not of an object's keys.
 */
export function columnsOf(schema: JsonSchema | null): Readonly<Record<string, JsonSchema>> | null {
  if (schema?.type !== 'array' || schema.items?.type !== 'object') return null
  const { properties = {}, required = [] } = schema.items
  const names = [...required.filter((name) => properties[name]), ...Object.keys(properties)]
  return Object.fromEntries(names.map((name) => [name, properties[name]!]))
}
