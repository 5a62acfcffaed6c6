import Ajv, { type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { weigh } from './limit-value.ts'

/** Says the first thing that is wrong with a value, or null. */
export type CheckValue = (schema: object, value: unknown) => string | null

/** An exact number as text, such as "-12.50". */
const decimal = /^-?\d{1,20}(\.\d{1,10})?$/
/** Parts of a schema times parts of a value: more would hold up the other runs of the process for seconds. */
const maxWork = 20_000_000

/**
 * Checks values against the schemas of one package, which checkSchema has accepted. What it compiles lives as long as
 * the checker: a shared one would keep every package that was ever seen.
 */
export function createValueCheck(): CheckValue {
  const compiled = new Map<object, ValidateFunction>()
  let ajv: InstanceType<typeof Ajv.default> | undefined
  return (schema, value) => {
    const most = maxWork / weigh(schema, maxWork)
    if (weigh(value, most) > most) return 'it is too large for so detailed a schema'
    ajv ??= addFormats.default(
      new Ajv.default({ strict: false, meta: false, validateSchema: false, logger: false, formats: { decimal } }),
      ['date', 'date-time', 'email', 'uuid'],
    )
    const validate = compiled.get(schema) ?? ajv.compile({ ...schema, $schema: undefined })
    compiled.set(schema, validate)
    if (validate(value)) return null
    const [error] = validate.errors ?? []
    return `${error?.instancePath || 'it'} ${error?.message ?? 'is wrong'}`
  }
}
