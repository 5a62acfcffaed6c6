import type { TenantQueries } from '../../db/queries.ts'
import { AppError } from '../../errors.ts'
import { isAllowedHost } from '../../providers/hosts.ts'
import type { ModelProvider } from '../../providers/model.ts'
import type { Vault } from '../../providers/vault.ts'
import { readCredential } from '../credentials/service.ts'
import { findServing, type ModelRow } from './repository.ts'

/** One model of the tenant, ready to be asked but for its key. */
export interface ModelChoice {
  readonly purpose: string
  readonly provider: ModelProvider
  readonly model: string
  readonly baseUrl: string | null
  readonly credential: { readonly name: string; readonly key: string } | null
  readonly temperature: number | null
  readonly maxTokens: number
  readonly timeoutMs: number
  /** Per million tokens, exact text. */
  readonly inputPrice: string | null
  readonly outputPrice: string | null
}

const addresses = { openai: 'https://api.openai.com/v1', anthropic: 'https://api.anthropic.com/v1' }

/** Where the model is reached: the provider's own address when none was chosen. */
export function addressOf({ provider, baseUrl }: Pick<ModelChoice, 'provider' | 'baseUrl'>): string {
  const address = baseUrl ?? (provider === 'openai_compatible' ? undefined : addresses[provider])
  if (!address) throw new Error('a compatible server has no address of its own')
  return address
}

/** The model that serves a purpose, or else "default", and behind it its fallbacks. Empty when the tenant has set none. */
export async function modelsFor(queries: TenantQueries, purpose: string): Promise<ModelChoice[]> {
  const rows = await findServing(queries, { purpose })
  const of = (name: string) => rows.find((row) => row.purpose === name)
  const chosen = of(purpose) ?? of('default')
  if (!chosen) return []
  const fallbacks = chosen.fallbacks.flatMap((name) => of(name) ?? [])
  return [chosen, ...fallbacks].map(choiceOf)
}

/**
 * Opens the model's key, for the socket and nothing else. Throws what readCredential throws, and egress_refused when the
 * credential may not be sent to the model's address.
 */
export async function keyFor(
  queries: TenantQueries,
  vault: Vault,
  tenantId: string,
  choice: ModelChoice,
): Promise<string | undefined> {
  if (!choice.credential) return undefined
  const { name, key } = choice.credential
  const { keys, allowedHosts } = await readCredential(queries, vault, tenantId, name)
  const url = new URL(addressOf(choice))
  if (!isAllowedHost(url, allowedHosts)) {
    const message = `the credential ${name} may not be sent to ${url.host}: an admin adds it to its allowed hosts`
    throw new AppError('egress_refused', message)
  }
  if (!Object.hasOwn(keys, key)) throw new AppError('credential_missing', `the credential ${name} has no key ${key}`)
  return keys[key]
}

export function choiceOf(row: ModelRow): ModelChoice {
  const { credential: name, credential_key: key } = row
  return {
    purpose: row.purpose,
    provider: row.provider as ModelProvider,
    model: row.model,
    baseUrl: row.base_url,
    credential: name !== null && key !== null ? { name, key } : null,
    temperature: row.temperature,
    maxTokens: row.max_tokens,
    timeoutMs: row.timeout_ms,
    inputPrice: row.input_price,
    outputPrice: row.output_price,
  }
}
