import { codeOf } from '../db/refusals.ts'
import { AppError } from '../errors.ts'

export interface Failure {
  readonly code: string
  readonly message: string
}

/** Not ours any more: another worker took the run, it is gone, or its organization is suspended. */
const lost = new Set(['conflict', 'not_found', 'organization_suspended'])
/** The database was away, busy, or ran into one of its own limits: the next attempt may well succeed. */
const passing = new Set(['database_unavailable', 'overloaded', '40001', '40P01', '55P03', '57014', '25P03', '25P04'])

/**
 * What becomes of a run whose worker met this error: `lost`: leave it alone · `retry`: leave it to be taken over ·
 * a failure: end it so. Of an error that nobody expected the failure tells nothing; the log does.
 */
export function verdictOn(error: unknown): 'lost' | 'retry' | Failure {
  const code = codeOf(error) ?? ''
  if (passing.has(code) || code.startsWith('53') || code.startsWith('58')) return 'retry'
  if (!(error instanceof AppError)) {
    return { code: 'internal', message: 'the platform failed; its operator finds the reason in the log by this run id' }
  }
  return lost.has(code) ? 'lost' : { code, message: error.message }
}
