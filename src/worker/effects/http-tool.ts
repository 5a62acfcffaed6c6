import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { AppError } from '../../errors.ts'
import { sizeOf } from '../../features/runs/size.ts'
import { openSecrets } from '../../features/tools/service.ts'
import { type HttpRequest, sendRequest } from '../../providers/http-client.ts'
import { shapeOf } from '../../providers/json-shape.ts'
import { credentialNames, type Secrets } from '../../providers/secrets.ts'
import { makeStorable } from '../storable.ts'
import { type EffectContext, type EffectProviders, failed, type PerformTool } from './effect.ts'

const Scalar = Type.Union([Type.String({ maxLength: 8000 }), Type.Number(), Type.Boolean()])
const HttpInput = Type.Object(
  {
    url: Type.String({ minLength: 1, maxLength: 8000 }),
    method: Type.Optional(Type.Enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'])),
    query: Type.Optional(Type.Record(Type.String({ maxLength: 200 }), Scalar, { maxProperties: 100 })),
    headers: Type.Optional(Type.Record(Type.String({ maxLength: 100 }), Scalar, { maxProperties: 50 })),
    body: Type.Optional(Type.Unknown()),
    timeoutMs: Type.Optional(Type.Integer({ minimum: 1, maximum: 60_000 })),
  },
  { additionalProperties: false },
)
type Given = Omit<Static<typeof HttpInput>, 'timeoutMs'>
const maxBody = { characters: 1024 * 1024, depth: 60 }

/** One HTTP request. Repeated after a takeover, it is sent again with the same idempotency key. */
export const httpTool: PerformTool = async (providers, context, { call, tool, input, timeoutMs: most }) => {
  const fault = Value.Errors(HttpInput, input)[0]
  if (fault) return failed(call, 'input_invalid', `${tool}: ${fault.instancePath || '/'} ${fault.message}`)
  const { timeoutMs = most, ...given } = input as Static<typeof HttpInput>
  const request = requestOf(given, `${context.runId}:${call}`)
  const secrets = await secretsFor(providers, context, request)
  const { outgoing: fetch } = providers
  const sending = { fetch, secrets, timeoutMs: Math.min(timeoutMs, most), signal: context.signal }
  const output = makeStorable(await sendRequest(request, sending))
  if (!context.fits(sizeOf(JSON.stringify(output)))) {
    return failed(call, 'run_too_large', `${tool}: the run would remember more than a run may`)
  }
  return { input: { kind: 'tool_result', call, result: { ok: true, output } } }
}

function requestOf({ method = 'GET', url, query = {}, headers = {}, body }: Given, key: string): HttpRequest {
  const own = Object.keys(headers).some((name) => name.toLowerCase() === 'idempotency-key')
  const sent = own || method === 'GET' || method === 'HEAD' ? headers : { ...headers, 'idempotency-key': key }
  const text = JSON.stringify(body) ?? ''
  if (text.length > maxBody.characters) throw new AppError('payload_too_large', 'the body is larger than 1 MB')
  if (shapeOf(text).depth > maxBody.depth) throw new AppError('input_invalid', 'the body is nested too deeply')
  return { method, url, query: texts(query), headers: texts(sent), body: body ?? undefined }
}

/** Only what the package says that it needs, so that whoever deploys it sees what it can use. */
async function secretsFor(
  { vault }: EffectProviders,
  { agent, tenant }: EffectContext,
  { query, headers, body }: HttpRequest,
): Promise<Secrets> {
  const names = credentialNames([...Object.values(query), ...Object.values(headers), JSON.stringify(body) ?? ''])
  const declared = agent.manifest.requiredCredentials ?? []
  const missing = names.find((name) => !declared.some((one) => one.name === name))
  if (missing !== undefined) {
    throw new AppError('credential_missing', `the package does not name ${missing} in its requiredCredentials`)
  }
  return await openSecrets(tenant.rows, vault, tenant.tenantId, names)
}

function texts(values: Readonly<Record<string, string | number | boolean>>): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)]))
}
