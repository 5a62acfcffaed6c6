import { AppError, type ErrorCode } from '../errors.ts'

/** What the SQL guard raises (SQLSTATE classes from I to Z are free for our own) -> what a client is told. */
const refusals: Readonly<Record<string, [ErrorCode, string]>> = {
  TN401: ['token_stale', 'this token was issued before a change of your rights or a sign-out; get a new one'],
  TN403: ['forbidden', 'your role does not allow this'],
  TN404: ['membership_required', 'you are not a member of this organization'],
  TN405: ['forbidden', 'whoever started this run may not do this now'],
  TN409: ['conflict', 'the run is held by another worker or is not running'],
  TN410: ['not_found', 'not found'],
  TN423: ['organization_suspended', 'this organization is suspended'],
  TN424: ['owner_left', 'the owner of the trigger may not start sessions any more'],
}

const unavailable = new Set(['57P01', '57P02', '57P03', '53300', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT'])

/** SQLSTATE or socket error code of a failure, when it has one. */
export function codeOf(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : undefined
}

/**
 * Turns the guard's refusals and lost connections into errors for the client; everything else stays what it was, but for
 * the pieces of rows that PostgreSQL adds to it: they belong into no log.
 */
export function translate(error: unknown): unknown {
  if (error instanceof AppError) return error
  if (error instanceof Error) for (const field of ['detail', 'where']) Reflect.deleteProperty(error, field)
  const code = codeOf(error)
  const refusal = code ? refusals[code] : undefined
  if (refusal) return new AppError(refusal[0], refusal[1], { cause: error })
  const lost =
    error instanceof Error &&
    /^Connection terminated|timeout exceeded when trying|is not queryable$|^Query read timeout$/.test(error.message)
  if (lost || (code && unavailable.has(code))) {
    return new AppError('database_unavailable', 'the database is not reachable; try again', { cause: error })
  }
  return error
}
