/** What the shell is told: 0 done · 1 refused or failed · 2 used wrongly · 3 not signed in, or not allowed · 4 not found · 5 a run that did not complete. */
export const exitCodes = { failed: 1, usage: 2, signIn: 3, notFound: 4, runFailed: 5 } as const

/** One place in what was sent that is wrong. */
export interface CliFault {
  readonly file?: string
  readonly path?: string
  readonly line?: number
  readonly reason: string
}

/** A failure that the person can do something about; its message says what. */
export class CliError extends Error {
  readonly exitCode: number
  readonly code: string
  readonly faults: readonly CliFault[]
  readonly requestId: string | null

  constructor(
    exitCode: number,
    code: string,
    message: string,
    { faults = [], requestId = null }: { faults?: readonly CliFault[]; requestId?: string | null } = {},
  ) {
    super(message)
    this.name = 'CliError'
    this.exitCode = exitCode
    this.code = code
    this.faults = faults
    this.requestId = requestId
  }
}

/** The problem that the API answered with (RFC 9457), as this program ends with it. */
export function failureOf(status: number, problem: unknown): CliError {
  const { code = 'unexpected', detail, title, requestId, faults } = (problem ?? {}) as Record<string, unknown>
  const exitCode =
    status === 401 || status === 403 ? exitCodes.signIn : status === 404 ? exitCodes.notFound : exitCodes.failed
  const message = String(detail ?? title ?? `the API answered ${status}`)
  return new CliError(exitCode, String(code), message, {
    faults: Array.isArray(faults) ? faults : [],
    requestId: requestId ? String(requestId) : null,
  })
}
