/** Every failure a client may see, with its HTTP status. Add a code here or nowhere. */
export const statusOf = {
  invalid_request: 400,
  input_invalid: 400,
  package_invalid: 400,
  organization_ambiguous: 400,
  token_missing: 401,
  token_invalid: 401,
  token_stale: 401,
  forbidden: 403,
  organization_required: 403,
  organization_unknown: 403,
  organization_suspended: 403,
  membership_required: 403,
  egress_refused: 403,
  not_found: 404,
  conflict: 409,
  owner_left: 409,
  already_decided: 409,
  approval_expired: 409,
  already_answered: 409,
  payload_changed: 409,
  version_exists: 409,
  payload_too_large: 413,
  package_too_large: 413,
  unsupported_media_type: 415,
  credential_missing: 424,
  credential_expired: 424,
  credentials_required: 424,
  mcp_servers_required: 424,
  too_many_requests: 429,
  internal: 500,
  secret_unreadable: 500,
  http_unreachable: 502,
  http_bad_answer: 502,
  mcp_unavailable: 502,
  mcp_bad_answer: 502,
  mcp_refused: 502,
  identity_unavailable: 503,
  database_unavailable: 503,
  overloaded: 503,
  vault_unavailable: 503,
  http_timeout: 504,
  mcp_timeout: 504,
} as const

export type ErrorCode = keyof typeof statusOf

/** One place in a client's input that is wrong: a file and line, or a JSON pointer, and why. */
export interface Fault {
  readonly file?: string
  readonly path?: string
  readonly line?: number
  readonly reason: string
}

/** An expected failure. Anything else that is thrown is a bug and reaches the client as `internal`. */
export class AppError extends Error {
  readonly code: ErrorCode
  readonly faults: readonly Fault[]

  constructor(code: ErrorCode, message: string, options?: ErrorOptions & { faults?: readonly Fault[] }) {
    super(message, options)
    this.name = 'AppError'
    this.code = code
    this.faults = options?.faults ?? []
  }
}

/** The one answer for an id that is foreign, deleted, or never existed. */
export function notFound(resource: string): AppError {
  return new AppError('not_found', `${resource} not found`)
}
