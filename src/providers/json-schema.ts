import Ajv, { type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import type { Fault } from '../errors.ts'

/** An exact number as text, such as "-12.50". */
const decimal = /^-?\d{1,20}(\.\d{1,10})?$/

const compiled = new WeakMap<object, ValidateFunction>()

/** Checks a value against a tenant's schema; no faults means it fits. Throws when the schema itself is not usable. */
export function checkJson(schema: object, value: unknown, name: string): Fault[] {
  let validate = compiled.get(schema)
  if (!validate) {
    validate = compile(schema)
    compiled.set(schema, validate)
  }
  if (validate(value)) return []
  return (validate.errors ?? []).slice(0, 50).map(({ instancePath, message = 'is wrong', params }) => {
    const extra = 'additionalProperty' in params ? `: ${String(params.additionalProperty)}` : ''
    return { path: `${name}${instancePath}`, reason: `${message}${extra}` }
  })
}

/**
 * With a compiler of its own, which dies with the schema: a shared one keeps something of each schema it ever saw.
 * Patterns are refused here as they are in packages: a stranger's regular expression can stop this process.
 */
function compile(schema: object): ValidateFunction {
  const regExp = Object.assign(refusePattern, { code: 'refused' })
  const options = { strict: false, allErrors: true, meta: false, validateSchema: false, logger: false } as const
  const ajv = addFormats.default(new Ajv.default({ ...options, formats: { decimal }, code: { regExp } }), [
    'date',
    'date-time',
    'email',
    'uuid',
  ])
  return ajv.compile({ ...schema, $schema: undefined })
}

function refusePattern(): never {
  throw new Error('patterns are not supported in schemas')
}
