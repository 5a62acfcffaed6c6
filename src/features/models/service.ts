import type { Static } from 'typebox'
import { AppError, type Fault, notFound } from '../../errors.ts'
import { isAllowedHost } from '../../providers/hosts.ts'
import type { ModelServers } from '../../providers/model-servers.ts'
import type { Vault } from '../../providers/vault.ts'
import type { TenantContext } from '../../tenancy/context.ts'
import { record } from '../audit/service.ts'
import { findCredential } from '../credentials/service.ts'
import { addressOf, choiceOf, keyFor } from './choice.ts'
import { takeCall } from './rate.ts'
import {
  countRows,
  deleteRow,
  findRow,
  knownOf,
  listRows,
  type ModelChange,
  type ModelRow,
  maxPurposes,
  upsertRow,
} from './repository.ts'
import type { ModelList, ModelPut, ModelSettings, ModelTest } from './schema.ts'

export { type ModelCall, recordModelCalls, usageOf } from './usage.ts'

type Reader = TenantContext<'models:read'>
type Writer = TenantContext<'models:read' | 'models:write'>

const testTimeoutMs = 20_000

/** `deployment`: the name of the model that serves tenants without settings, when there is one. */
export async function listModels(tenant: Reader, deployment: string | null): Promise<Static<typeof ModelList>> {
  const rows = await listRows(tenant.rows, {})
  return { items: rows.map(toSettings), deployment: deployment === null ? null : { model: deployment } }
}

export async function getModel(tenant: Reader, purpose: string): Promise<ModelSettings> {
  return toSettings(await rowOf(tenant, purpose))
}

/** Throws input_invalid with everything that could not work, egress_refused for an address inside. */
export async function putModel(
  servers: ModelServers,
  tenant: Writer,
  purpose: string,
  put: ModelPut,
): Promise<ModelSettings> {
  const change = toChange(put)
  const faults = await faultsIn(tenant, purpose, change)
  if (faults.length > 0) throw new AppError('input_invalid', 'these settings cannot work', { faults })
  if (change.base_url !== null) await servers.check(change.base_url)
  await tenant.transaction(async (tx) => {
    await upsertRow(tx, purpose, change)
    const { provider, model, base_url: baseUrl, credential, fallbacks } = change
    await record(tx, 'models.update', `model:${purpose}`, { provider, model, baseUrl, credential, fallbacks })
  })
  return await getModel(tenant, purpose)
}

/** @returns what was deleted */
export async function deleteModel(tenant: Writer, purpose: string): Promise<ModelSettings> {
  return await tenant.transaction(async (tx) => {
    const row = await deleteRow(tx, purpose)
    if (!row) throw notFound('model settings')
    await record(tx, 'models.delete', `model:${purpose}`)
    return toSettings(row)
  })
}

/** One small question to the model, within 20 s; whatever comes of it is the result. Counts as a call of the tenant. */
export async function testModel(
  servers: ModelServers,
  vault: Vault,
  tenant: Writer,
  purpose: string,
): Promise<Static<typeof ModelTest>> {
  const choice = choiceOf(await rowOf(tenant, purpose))
  if ((await takeCall(tenant.rows, 0)) > 0) {
    throw new AppError('too_many_requests', 'the organization has called its models too often; try again in a moment')
  }
  const began = performance.now()
  const told = (rest: Omit<Static<typeof ModelTest>, 'durationMs'>) => ({
    ...rest,
    durationMs: Math.round(performance.now() - began),
  })
  try {
    const { provider, model, temperature } = choice
    const answer = await servers.call(
      {
        provider,
        model,
        temperature,
        baseUrl: addressOf(choice),
        apiKey: await keyFor(tenant.rows, vault, tenant.tenantId, choice),
        messages: [{ role: 'user', content: 'Answer with the word "ready".' }],
        tools: [],
        maxTokens: Math.min(choice.maxTokens, 256),
        timeoutMs: Math.min(choice.timeoutMs, testTimeoutMs),
      },
      {},
    )
    if (answer.ok) return told({ ok: true, text: answer.text.slice(0, 200), usage: answer.usage, error: null })
    return told({ ok: false, text: null, usage: null, error: answer.error })
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return told({ ok: false, text: null, usage: null, error: { code: error.code, message: error.message } })
  }
}

async function rowOf(tenant: Reader, purpose: string): Promise<ModelRow> {
  const [row] = await findRow(tenant.rows, { purpose })
  if (!row) throw notFound('model settings')
  return row
}

async function faultsIn(tenant: Writer, purpose: string, change: ModelChange): Promise<Fault[]> {
  const faults: Fault[] = []
  const { provider, base_url, fallbacks } = change
  if (provider === 'openai_compatible' && base_url === null) faults.push({ path: 'baseUrl', reason: 'is missing' })
  const known = await knownOf(tenant.rows, [purpose, ...fallbacks])
  if (!known.has(purpose) && (await countRows(tenant.rows)) >= maxPurposes) {
    faults.push({ path: 'purpose', reason: `there are ${maxPurposes} already` })
  }
  fallbacks.forEach((name, index) => {
    if (name === purpose || !known.has(name)) {
      faults.push({ path: `fallbacks/${index}`, reason: 'is not another purpose with settings' })
    }
  })
  return [...faults, ...(faults.length > 0 ? [] : await credentialFaults(tenant, change))]
}

async function credentialFaults(tenant: Writer, change: ModelChange): Promise<Fault[]> {
  const { provider, credential, credential_key: key, base_url: baseUrl } = change
  if (credential === null || key === null) {
    return provider === 'openai_compatible'
      ? []
      : [{ path: 'credential', reason: `is missing: ${provider} needs a key` }]
  }
  const found = await findCredential(tenant.rows, credential)
  if (!found) return [{ path: 'credential/name', reason: 'there is no such credential' }]
  if (!found.keyNames.includes(key)) return [{ path: 'credential/key', reason: 'the credential has no such key' }]
  const url = new URL(addressOf({ provider: provider as ModelPut['provider'], baseUrl }))
  if (isAllowedHost(url, found.allowedHosts)) return []
  return [
    { path: 'credential/name', reason: `it may not be sent to ${url.host}: an admin adds it to its allowed hosts` },
  ]
}

function toChange(put: ModelPut): ModelChange {
  const { provider, model, baseUrl = null, credential = null, temperature = null } = put
  if (baseUrl !== null && !URL.canParse(baseUrl)) {
    const faults = [{ path: 'baseUrl', reason: 'is no address' }]
    throw new AppError('input_invalid', 'these settings cannot work', { faults })
  }
  return {
    provider,
    model,
    base_url: baseUrl,
    credential: credential?.name ?? null,
    credential_key: credential?.key ?? null,
    temperature,
    max_tokens: put.maxTokens ?? 4096,
    timeout_ms: put.timeoutMs ?? 120_000,
    input_price: put.inputPrice ?? null,
    output_price: put.outputPrice ?? null,
    fallbacks: put.fallbacks ?? [],
  }
}

function toSettings(row: ModelRow): ModelSettings {
  const { purpose, baseUrl, provider, model, credential, temperature, maxTokens, timeoutMs } = choiceOf(row)
  return {
    purpose,
    provider,
    model,
    baseUrl,
    credential,
    temperature,
    maxTokens,
    timeoutMs,
    inputPrice: row.input_price === null ? null : plain(row.input_price),
    outputPrice: row.output_price === null ? null : plain(row.output_price),
    fallbacks: row.fallbacks,
    createdAt: row.created_at.toISOString(),
    createdBy: row.created_by,
    updatedAt: row.updated_at.toISOString(),
  }
}

/** As it was written, not with every digit of the column: "2.5", not "2.50000000". */
function plain(price: string): string {
  return price.includes('.') ? price.replace(/\.?0+$/, '') : price
}
