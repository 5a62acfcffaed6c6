import type { Static } from 'typebox'
import type { TenantQueries } from '../../db/queries.ts'
import { AppError, type Fault, notFound } from '../../errors.ts'
import type { Vault } from '../../providers/vault.ts'
import type { TenantContext } from '../../tenancy/context.ts'
import { record } from '../audit/service.ts'
import { type PageInput, pageOf, readCursor } from '../pages.ts'
import { deleteRow, findRow, findSealed, findUsable, insertRow, listRows, replaceRow } from './repository.ts'
import type { Credential, CredentialList, CredentialPut, CredentialType } from './schema.ts'

type Reader = TenantContext<'credentials:read'>
type Writer = TenantContext<'credentials:read' | 'credentials:write'>

/** An opened credential, and the only hosts that it may be sent to. */
export interface OpenCredential {
  readonly keys: Readonly<Record<string, string>>
  readonly allowedHosts: readonly string[]
}

const keysOf: Readonly<Record<CredentialType, { needs: readonly string[]; takes: readonly string[] } | null>> = {
  api_key: { needs: ['key'], takes: [] },
  basic_auth: { needs: ['username', 'password'], takes: [] },
  bearer_token: { needs: ['token'], takes: [] },
  oauth2: { needs: ['accessToken'], takes: ['refreshToken', 'clientId', 'clientSecret', 'tokenUrl', 'scope'] },
  custom: null,
}
/** In a header they would end it. A custom value may be a key in lines. */
const control = /\p{Cc}/u

export async function listCredentials(
  tenant: Reader,
  { limit = 20, cursor }: PageInput,
): Promise<Static<typeof CredentialList>> {
  const rows = await listRows(tenant.rows, limit, readCursor(tenant.tenantId, cursor), {})
  return pageOf(tenant.tenantId, rows, limit, (row) => ({ time: row.created_at, id: row.id }), toCredential)
}

export async function getCredential(tenant: Reader, name: string): Promise<Credential> {
  const [row] = await findRow(tenant.rows, { name })
  if (!row) throw notFound('credential')
  return toCredential(row)
}

/** Stores a secret under the name, in place of the one that was there. Throws `conflict` when two do so at once. */
export async function putCredential(
  vault: Vault,
  tenant: Writer,
  name: string,
  { type, keys, allowedHosts, expiresAt = null }: CredentialPut,
): Promise<Credential> {
  const faults = faultsIn(type, keys)
  if (faults.length > 0) throw new AppError('input_invalid', `these are not the values of a ${type}`, { faults })
  const [present] = await findRow(tenant.rows, { name })
  const version = (present?.version ?? 0) + 1
  const row = {
    type,
    key_names: Object.keys(keys).sort(),
    secret: await vault.seal(tenant.tenantId, aboutOf(name, version), JSON.stringify(keys)),
    allowed_hosts: allowedHosts,
    expires_at: expiresAt === null ? null : new Date(expiresAt),
  }
  await tenant.transaction(async (tx) => {
    const id = present ? await replaceRow(tx, name, version, row) : await insertRow(tx, name, row)
    if (!id) throw new AppError('conflict', 'the credential was changed at the same time; look at it and try again')
    const details = { name, type, version, allowedHosts }
    await record(tx, present ? 'credentials.replace' : 'credentials.create', `credential:${id}`, details)
  })
  return await getCredential(tenant, name)
}

/** @returns what was deleted */
export async function deleteCredential(tenant: Writer, name: string): Promise<Credential> {
  return await tenant.transaction(async (tx) => {
    const row = await deleteRow(tx, name)
    if (!row) throw notFound('credential')
    await record(tx, 'credentials.delete', `credential:${row.id}`, { name, type: row.type, version: row.version })
    return toCredential(row)
  })
}

/**
 * Opens a secret for its use: at the socket and nowhere else. Throws credential_missing, credential_expired, or what the
 * vault throws.
 */
export async function readCredential(
  queries: TenantQueries,
  vault: Vault,
  tenantId: string,
  name: string,
): Promise<OpenCredential> {
  const [row] = await findSealed(queries, { name })
  if (!row) throw new AppError('credential_missing', `the organization has no credential ${name}: an admin adds it`)
  if (row.expired) throw new AppError('credential_expired', `the credential ${name} has expired: an admin replaces it`)
  const text = await vault.open(tenantId, aboutOf(name, row.version), row.secret)
  return { keys: JSON.parse(text), allowedHosts: row.allowed_hosts }
}

/** What is known of a credential, for who is about to name it in settings; undefined when there is none. */
export async function findCredential(queries: TenantQueries, name: string): Promise<Credential | undefined> {
  const [row] = await findRow(queries, { name })
  return row && toCredential(row)
}

/** Those of the names that the organization has no credential for, or one that has expired. */
export async function missingCredentials(queries: TenantQueries, names: readonly string[]): Promise<string[]> {
  if (names.length === 0) return []
  const usable = new Set(await findUsable(queries, names))
  return names.filter((name) => !usable.has(name))
}

/** Another name, another version: another secret. What was copied between rows does not open. */
function aboutOf(name: string, version: number): string {
  return `credential:${name}:${version}`
}

function faultsIn(type: CredentialType, keys: Readonly<Record<string, string>>): Fault[] {
  const wanted = keysOf[type]
  const { needs, takes } = wanted ?? { needs: [], takes: Object.keys(keys) }
  const missing = needs.filter((key) => !Object.hasOwn(keys, key))
  const given = Object.entries(keys).flatMap(([key, value]): Fault[] => {
    const path = `keys/${key}`
    if (!needs.includes(key) && !takes.includes(key)) return [{ path, reason: `is not a value of a ${type}` }]
    return wanted && control.test(value) ? [{ path, reason: 'holds a line break or a control character' }] : []
  })
  return [...missing.map((key) => ({ path: `keys/${key}`, reason: 'is missing' })), ...given]
}

function toCredential(row: Awaited<ReturnType<typeof listRows>>[number]): Credential {
  return {
    id: row.id,
    name: row.name,
    type: row.type as CredentialType,
    version: row.version,
    keyNames: row.key_names,
    allowedHosts: row.allowed_hosts,
    expiresAt: row.expires_at?.toISOString() ?? null,
    createdAt: row.created_at.toISOString(),
    createdBy: row.created_by,
    updatedAt: row.updated_at.toISOString(),
  }
}
