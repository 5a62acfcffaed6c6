import { STATUS_CODES } from 'node:http'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { AppError, type ErrorCode, type Fault, statusOf } from '../errors.ts'

/** RFC 9457, with a stable code, the request's id, and the places that are wrong. */
export const Problem = Type.Object({
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer(),
  detail: Type.String(),
  code: Type.String(),
  requestId: Type.String(),
  faults: Type.Optional(
    Type.Array(
      Type.Object({
        file: Type.Optional(Type.String()),
        path: Type.Optional(Type.String()),
        line: Type.Optional(Type.Integer()),
        reason: Type.String(),
      }),
    ),
  ),
})

/** What Fastify itself refuses, before a handler runs -> our code. */
const fastifyCodes: Readonly<Record<string, ErrorCode>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_EMPTY_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_BODY_TOO_LARGE: 'payload_too_large',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'invalid_request',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'invalid_request',
  FST_ERR_CTP_INVALID_JSON_BODY: 'invalid_request',
  FST_ERR_BAD_URL: 'invalid_request',
  FST_ERR_MAX_PARAM_LENGTH: 'invalid_request',
  FST_REQ_FILE_TOO_LARGE: 'payload_too_large',
  FST_FILES_LIMIT: 'invalid_request',
  FST_PARTS_LIMIT: 'invalid_request',
  FST_FIELDS_LIMIT: 'invalid_request',
  FST_INVALID_MULTIPART_CONTENT_TYPE: 'unsupported_media_type',
}

/** Brings whatever was thrown into one form. What is not expected becomes `internal`, and says nothing to the client. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error
  const { code = '', validation, statusCode, message = '' } = error as Partial<FastifyError>
  if (validation)
    return new AppError('invalid_request', 'the request does not fit its schema', {
      faults: faultsOf(error as FastifyError),
    })
  const known = fastifyCodes[code] ?? (statusCode === 400 ? 'invalid_request' : undefined)
  if (known) return new AppError(known, message, { cause: error })
  return new AppError('internal', 'something went wrong on our side; give the request id to your platform admin', {
    cause: error,
  })
}

function faultsOf({ validation = [], validationContext }: FastifyError): Fault[] {
  return validation.slice(0, 50).map(({ instancePath, message = 'is wrong', params }) => {
    const extra = typeof params['additionalProperty'] === 'string' ? `: ${params['additionalProperty']}` : ''
    return { path: `${validationContext ?? ''}${instancePath}`, reason: `${message}${extra}` }
  })
}

/** Answers with a problem document. */
export function sendProblem(error: AppError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const status = statusOf[error.code]
  if (error.code === 'internal') request.log.error({ err: error.cause ?? error }, 'unexpected failure')
  if (status === 401) reply.header('www-authenticate', 'Bearer')
  if (status === 503 || status === 429) reply.header('retry-after', '1')
  return reply
    .code(status)
    .type('application/problem+json')
    .serializer((body: unknown) => JSON.stringify(body))
    .send({
      type: 'about:blank',
      title: STATUS_CODES[status] ?? 'Error',
      status,
      detail: error.message,
      code: error.code,
      requestId: request.id,
      ...(error.faults.length > 0 ? { faults: error.faults } : {}),
    })
}
