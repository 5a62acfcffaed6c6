import Ajv, { type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import type { Fault } from '../errors.ts'

/** An exact number as text, such as "-12.50". */
const decimal = /^-?\d{1,20}(\.\d{1,10})?$/

/** Parts of the schema times parts of the value: up to here every fault is told, then the first one only, then it is refused. */
const work = { thorough: 200_000, most: 20_000_000 }
const charactersPerPart = 20

interface Compiled {
  readonly parts: number
  readonly all: () => ValidateFunction
  readonly first: () => ValidateFunction
}
const compiled = new WeakMap<object, Compiled>()

/**
 * Checks a value against a tenant's schema; no faults means it fits. Both are strangers' and the process is everybody's,
 * so what would take seconds to check is a fault as well. Throws when the schema itself is not usable.
 */
export function checkJson(schema: object, value: unknown, name: string): Fault[] {
  let found = compiled.get(schema)
  if (!found) {
    found = {
      parts: weigh(schema),
      all: lazily(() => compile(schema, true)),
      first: lazily(() => compile(schema, false)),
    }
    compiled.set(schema, found)
  }
  const effort = found.parts * weigh(value)
  if (effort > work.most) return [{ path: name, reason: 'is too large for so detailed a schema' }]
  const validate = effort > work.thorough ? found.first() : found.all()
  if (validate(value)) return []
  return (validate.errors ?? []).slice(0, 50).map(({ instancePath, message = 'is wrong', params }) => {
    const extra = 'additionalProperty' in params ? `: ${String(params.additionalProperty)}` : ''
    return { path: `${name}${instancePath}`, reason: `${message}${extra}` }
  })
}

/** One for each value, and for each further twenty characters of a text. */
function weigh(root: unknown): number {
  const waiting = [root]
  let parts = 0
  while (waiting.length > 0) {
    const value = waiting.pop()
    parts += 1
    if (typeof value === 'string') parts += Math.floor(value.length / charactersPerPart)
    else if (typeof value === 'object' && value !== null) for (const inner of Object.values(value)) waiting.push(inner)
  }
  return parts
}

function lazily<T>(make: () => T): () => T {
  let made: T | undefined
  return () => {
    made ??= make()
    return made
  }
}

/**
 * With a compiler of its own, which dies with the schema: a shared one keeps something of each schema it ever saw.
 * Patterns are refused here as they are in packages: a stranger's regular expression can stop this process.
 */
function compile(schema: object, allErrors: boolean): ValidateFunction {
  const regExp = Object.assign(refusePattern, { code: 'refused' })
  const options = { strict: false, allErrors, meta: false, validateSchema: false, logger: false } as const
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
