/** One place in what was sent that is wrong. */
export interface Fault {
  readonly file?: string
  readonly path?: string
  readonly line?: number
  readonly reason: string
}

export interface ProblemBody {
  readonly code: string
  readonly status: number
  readonly detail: string
  readonly requestId: string | null
  readonly faults?: readonly Fault[]
}

/** An answer of the API that says what went wrong. `unreachable` when there was none. */
export class Problem extends Error {
  readonly code: string
  readonly status: number
  readonly requestId: string | null
  readonly faults: readonly Fault[]

  constructor({ code, status, detail, requestId, faults }: ProblemBody) {
    super(detail)
    this.name = 'Problem'
    this.code = code
    this.status = status
    this.requestId = requestId
    this.faults = faults ?? []
  }
}

/** Reads the problem out of an answer's text; a proxy's page makes a problem too. */
export function problemOf(status: number, text: string): Problem {
  try {
    const body = JSON.parse(text) as Partial<ProblemBody>
    if (typeof body.code === 'string' && typeof body.detail === 'string')
      return new Problem({ requestId: null, ...body, code: body.code, detail: body.detail, status })
  } catch {
    // Not JSON: something between the API and this page answered.
  }
  return new Problem({ code: `http_${status}`, status, detail: `the server answered ${status}`, requestId: null })
}

/** Nothing answered. */
export function unreachable(): Problem {
  const detail = 'EngineX cannot be reached. Check your connection.'
  return new Problem({ code: 'unreachable', status: 0, detail, requestId: null })
}

/** Whether asking again may help. */
export function isPassing(error: unknown): boolean {
  return error instanceof Problem && (error.status === 0 || error.status === 429 || error.status >= 500)
}
