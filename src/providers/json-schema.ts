import Ajv from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import type { Fault } from '../errors.ts'

/**
 * JSON Schemas that a tenant wrote. Patterns are refused: a regular expression of a stranger can stop this process.
 * `decimal` is a number as text, exact, such as "-12.50".
 */
const ajv = new Ajv.default({
  strict: false,
  allErrors: true,
  code: { regExp: Object.assign(regExp, { code: 'refused' }) },
})
addFormats.default(ajv, ['date', 'date-time', 'email', 'uuid'])
ajv.addFormat('decimal', /^-?\d{1,20}(\.\d{1,10})?$/)

// The schema of schemas has patterns of its own: they are compiled here, before any stranger's.
let refusing = false
ajv.validateSchema({})
refusing = true

function regExp(pattern: string, flags: string): RegExp {
  if (refusing) throw new Error('patterns are not supported in schemas')
  return new RegExp(pattern, flags)
}

const compiled = new WeakMap<object, ReturnType<typeof ajv.compile>>()

/** Checks a value against a tenant's schema; no faults means it fits. Throws when the schema itself is not usable. */
export function checkJson(schema: object, value: unknown, name: string): Fault[] {
  let validate = compiled.get(schema)
  if (!validate) {
    validate = ajv.compile(schema)
    // ajv would keep every schema for good, and each request may bring its own object.
    ajv.removeSchema(schema)
    compiled.set(schema, validate)
  }
  if (validate(value)) return []
  return (validate.errors ?? []).slice(0, 50).map(({ instancePath, message = 'is wrong', params }) => {
    const extra = 'additionalProperty' in params ? `: ${String(params.additionalProperty)}` : ''
    return { path: `${name}${instancePath}`, reason: `${message}${extra}` }
  })
}
