import { AppError } from '../errors.ts'

/** Reads JSON of strangers, as strictly as Fastify reads bodies. Throws invalid_request that says what `what` lacks. */
export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text, (key, value) => {
      if (key === '__proto__' || key === 'constructor') throw new Error(`the key ${key} is not allowed`)
      return value
    })
  } catch (error) {
    throw new AppError('invalid_request', `${what} is not JSON: ${(error as Error).message}`)
  }
}

/** PostgreSQL stores neither NUL nor half a surrogate pair, so they are refused where they come in. */
export function assertText(value: unknown, depth = 0): void {
  if (typeof value === 'string') {
    if (value.includes('\0') || !value.isWellFormed())
      throw new AppError('invalid_request', 'the request has text that is not valid Unicode')
  } else if (typeof value === 'object' && value !== null) {
    if (depth > 64) throw new AppError('invalid_request', 'the request is nested too deeply')
    for (const [key, inner] of Object.entries(value)) {
      assertText(key, depth)
      assertText(inner, depth + 1)
    }
  }
}
