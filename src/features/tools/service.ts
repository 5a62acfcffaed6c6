import type { Static } from 'typebox'
import type { TenantQueries } from '../../db/queries.ts'
import { AppError, notFound } from '../../errors.ts'
import type { Mcp } from '../../providers/mcp.ts'
import type { McpTool } from '../../providers/mcp-answers.ts'
import type { McpTarget } from '../../providers/mcp-connection.ts'
import { createSecrets, credentialNames, type Secrets } from '../../providers/secrets.ts'
import type { Vault } from '../../providers/vault.ts'
import type { TenantContext } from '../../tenancy/context.ts'
import { record } from '../audit/service.ts'
import { readCredential } from '../credentials/service.ts'
import { type PageInput, pageOf, readCursor } from '../pages.ts'
import { checkServer } from './check.ts'
import { type NamedTool, nameTools } from './names.ts'
import { countRows, deleteRow, findNames, findRow, listRows, saveRow, saveTools } from './repository.ts'
import type { McpServer, McpServerDetail, McpServerList, McpServerSave } from './schema.ts'

type Reader = TenantContext<'tools:read'>
type Writer = TenantContext<'tools:read' | 'tools:write'>

export interface ToolProviders {
  readonly mcp: Mcp
  readonly vault: Vault
}

const maxServers = 50
/** Somebody waits for a discovery. */
const maxDiscoveryMs = 20_000

export async function listServers(
  tenant: Reader,
  { limit = 20, cursor }: PageInput,
): Promise<Static<typeof McpServerList>> {
  const rows = await listRows(tenant.rows, limit, readCursor(tenant.tenantId, cursor), {})
  return pageOf(tenant.tenantId, rows, limit, (row) => ({ time: row.created_at, id: row.id }), toServer)
}

export async function getServer(tenant: Reader, name: string): Promise<McpServerDetail> {
  return toDetail(await serverRow(tenant.rows, name))
}

/** Stores the configuration; connections and discovered tools of the one before are not used any more. */
export async function saveServer(
  mcp: Mcp,
  tenant: Writer,
  name: string,
  given: McpServerSave,
): Promise<McpServerDetail> {
  const values = await checkServer(mcp, name, given)
  await tenant.transaction(async (tx) => {
    const id = await saveRow(tx, name, values)
    if ((await countRows(tx)) > maxServers)
      throw new AppError('conflict', `there are ${maxServers} MCP servers already`)
    await record(tx, 'mcp_servers.update', `mcp_server:${id}`, { transport: given.transport })
  })
  return await getServer(tenant, name)
}

export async function removeServer(tenant: Writer, name: string): Promise<McpServerDetail> {
  const server = await getServer(tenant, name)
  await tenant.transaction(async (tx) => {
    const id = await deleteRow(tx, name)
    if (!id) throw notFound('MCP server')
    await record(tx, 'mcp_servers.delete', `mcp_server:${id}`)
  })
  return server
}

/** Asks the server for its tools now and keeps them. Throws an `mcp_` code, or what a credential lacks. */
export async function discoverServer(
  { mcp, vault }: ToolProviders,
  tenant: Writer,
  name: string,
): Promise<McpServerDetail> {
  const row = await serverRow(tenant.rows, name)
  const secrets = await secretsFor(tenant.as('tools:write', 'credentials:read').rows, vault, tenant.tenantId, row)
  const target = targetOf(tenant.tenantId, row, secrets)
  const tools = await mcp.discover({ ...target, timeoutMs: Math.min(target.timeoutMs, maxDiscoveryMs) }, never)
  await tenant.transaction(async (tx) => {
    await saveTools(tx, row, tools)
    await record(tx, 'mcp_servers.discover', `mcp_server:${row.id}`, { tools: tools.length })
  })
  return await getServer(tenant, name)
}

const never = new AbortController().signal

/** Those of these names that this organization has no MCP server for. */
export async function missingServers(queries: TenantQueries, names: readonly string[]): Promise<string[]> {
  if (names.length === 0) return []
  const found = new Set(await findNames(queries, names))
  return names.filter((name) => !found.has(name))
}

/** A server as a run uses it. */
export interface ServerInUse {
  /** Null before the first discovery of this configuration. */
  readonly tools: readonly NamedTool[] | null
  /** Under their names, as far as the organization allows them. */
  readonly named: (tools: readonly McpTool[]) => NamedTool[]
  /** With its secrets. Throws what a credential lacks. */
  readonly target: () => Promise<McpTarget>
}

/** Throws not_found. */
export async function serverInUse(
  queries: TenantQueries,
  vault: Vault,
  tenantId: string,
  name: string,
): Promise<ServerInUse> {
  const row = await serverRow(queries, name)
  const named = (tools: readonly McpTool[]) => nameTools(name, row.allowed_tools as string[], tools)
  const tools = row.tools as unknown as McpTool[] | null
  return {
    tools: tools && named(tools),
    named,
    target: async () => targetOf(tenantId, row, await secretsFor(queries, vault, tenantId, row)),
  }
}

/** Keeps what a run discovered, for the next one. */
export async function keepTools(queries: TenantQueries, { id, version }: McpTarget, tools: readonly McpTool[]) {
  await saveTools(queries, { id, version }, tools)
}

/** Opens credentials by their names, for as long as their values are needed. Throws what readCredential throws. */
export async function openSecrets(
  queries: TenantQueries,
  vault: Vault,
  tenantId: string,
  names: readonly string[],
): Promise<Secrets> {
  const opened = names.map(async (name) => [name, await readCredential(queries, vault, tenantId, name)] as const)
  return createSecrets(new Map(await Promise.all(opened)))
}

type Row = Awaited<ReturnType<typeof findRow>>[number]

async function serverRow(queries: TenantQueries, name: string): Promise<Row> {
  const [row] = await findRow(queries, { name })
  if (!row) throw notFound('MCP server')
  return row
}

async function secretsFor(queries: TenantQueries, vault: Vault, tenantId: string, row: Row): Promise<Secrets> {
  const names = credentialNames(Object.values(row.headers as Record<string, string>))
  return await openSecrets(queries, vault, tenantId, names)
}

function targetOf(tenantId: string, row: Row, secrets: Secrets): McpTarget {
  const { id, version, name, timeout_ms: timeoutMs, transport, url, command } = row
  const address =
    transport === 'stdio'
      ? ({ transport, command: command! } as const)
      : ({ transport: 'streamable_http', url: url!, headers: row.headers as Record<string, string> } as const)
  return { tenantId, id, version, name, address, secrets, timeoutMs }
}

function toDetail(row: Row): McpServerDetail {
  const tools = row.tools as unknown as McpTool[] | null
  if (!tools) return { ...toServer(row), tools: null }
  const named = nameTools(row.name, row.allowed_tools as string[], tools)
  return { ...toServer(row), tools: named.map((tool) => ({ ...tool, problem: tool.problem ?? null })) }
}

function toServer(row: Omit<Row, 'tools'>): McpServer {
  const { id, name, description, url, command, created_by: createdBy } = row
  return {
    id,
    name,
    description,
    transport: row.transport as McpServer['transport'],
    url,
    headers: row.headers as Record<string, string>,
    command,
    allowedTools: row.allowed_tools as string[],
    timeoutMs: row.timeout_ms,
    discoveredAt: row.discovered_at?.toISOString() ?? null,
    createdAt: row.created_at.toISOString(),
    createdBy,
  }
}
