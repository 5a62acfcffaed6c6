import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import type { Static } from 'typebox'
import type { TenantQueries } from '../../db/queries.ts'
import { type AgentPackage, parsePackage } from '../../engine/package.ts'
import type { Manifest } from '../../engine/schema.ts'
import { AppError, notFound } from '../../errors.ts'
import { readArchive, writeArchive } from '../../providers/archive.ts'
import type { Files } from '../../providers/files.ts'
import type { TenantContext } from '../../tenancy/context.ts'
import type { Download, UploadedFile } from '../../tenancy/route.ts'
import { record } from '../audit/service.ts'
import { type PageInput, pageOf, readCursor } from '../pages.ts'
import {
  activate,
  archiveRow,
  findAgentRow,
  findVersionRow,
  insertVersion,
  listAgentRows,
  listStartableRows,
  listVersionRows,
  lockAgent,
} from './repository.ts'
import type { Agent, AgentDetail, AgentList, AgentVersion, AgentVersionList } from './schema.ts'

type Reader = TenantContext<'agents:read'>
type Writer = TenantContext<'agents:read' | 'agents:write'>

export async function listAgents(tenant: Reader, { limit = 20, cursor }: PageInput): Promise<Static<typeof AgentList>> {
  const rows = await listAgentRows(tenant.rows, limit, readCursor(tenant.tenantId, cursor), {})
  return pageOf(tenant.tenantId, rows, limit, (row) => ({ time: row.created_at, id: row.id }), toAgent)
}

export async function getAgent(tenant: Reader, name: string): Promise<AgentDetail> {
  const [row] = await findAgentRow(tenant.rows, { name })
  if (!row) throw notFound('agent')
  const manifest = row.manifest as unknown as Manifest | null
  return {
    ...toAgent(row),
    input: (manifest?.input ?? {}) as Record<string, unknown>,
    graph: (manifest?.graph ?? {}) as Record<string, unknown>,
  }
}

/** What can be started now, each with the JSON Schema of its input; the first 50 by name. */
export async function listStartable(tenant: Reader): Promise<{ name: string; description: string; input: unknown }[]> {
  return (await listStartableRows(tenant.rows, {})).map(({ name, description, input }) => ({
    name,
    description,
    input: input ?? {},
  }))
}

export async function listVersions(
  tenant: Reader,
  name: string,
  { limit = 20, cursor }: PageInput,
): Promise<Static<typeof AgentVersionList>> {
  const rows = await listVersionRows(tenant.rows, limit, readCursor(tenant.tenantId, cursor), { name })
  if (rows.length === 0 && !(await findAgentRow(tenant.rows, { name }))[0]) throw notFound('agent')
  return pageOf(tenant.tenantId, rows, limit, (row) => ({ time: row.created_at, id: row.id }), toVersion)
}

export async function getVersion(tenant: Reader, name: string, version: string): Promise<AgentVersion> {
  return toVersion(await versionRow(tenant.rows, name, version))
}

export async function downloadVersion(files: Files, tenant: Reader, name: string, version: string): Promise<Download> {
  const { digest } = await versionRow(tenant.rows, name, version)
  const body = await files.get(packageKey(tenant.tenantId, digest))
  return { body, mediaType: 'application/gzip', fileName: `${name}-${version}.tar.gz` }
}

/** A version that a session can be started with. */
export interface StartableVersion {
  readonly agentId: string
  readonly versionId: string
  readonly version: string
  readonly active: boolean
  readonly digest: string
  readonly manifest: Manifest
}

/** What a session runs: the version asked for, or the active one. Throws `conflict` when there is none that may be started. */
export function startableVersion(tenant: Reader, name: string, version: string | undefined): Promise<StartableVersion> {
  return startableIn(tenant.rows, name, version)
}

/** The same inside a transaction, whoever acts in it. */
export async function startableIn(
  queries: TenantQueries,
  name: string,
  version: string | undefined,
): Promise<StartableVersion> {
  const [agent] = await findAgentRow(queries, { name })
  if (!agent) throw notFound('agent')
  if (agent.status === 'archived')
    throw new AppError('conflict', `the agent ${name} is archived; promote a version to use it again`)
  const wanted = version ?? agent.version
  if (!wanted) throw new AppError('conflict', `the agent ${name} has no active version; promote one`)
  const { id, digest, manifest } = await versionRow(queries, name, wanted)
  const active = wanted === agent.version
  return {
    agentId: agent.id,
    versionId: id,
    version: wanted,
    active,
    digest,
    manifest: manifest as unknown as Manifest,
  }
}

async function versionRow(queries: TenantQueries, name: string, version: string) {
  const [row] = await findVersionRow(queries, { name, version })
  if (!row) throw notFound('version')
  return row
}

/**
 * Checks the package whole, stores its bytes, then its row; uploading the same bytes again answers with what is there.
 * Throws package_invalid with every fault, or version_exists when this version was uploaded with other bytes.
 */
export async function deploy(
  files: Files,
  tenant: Writer,
  name: string,
  upload: UploadedFile | undefined,
  promote: boolean,
): Promise<AgentVersion> {
  if (upload?.field !== 'package') throw new AppError('invalid_request', 'send the package as the part `package`')
  return await deployFiles(files, tenant, name, await readArchive(upload.path), promote)
}

/** The same for files that are in memory already, as those of a template are. */
export async function deployFiles(
  files: Files,
  tenant: Writer,
  name: string,
  contents: ReadonlyMap<string, Buffer>,
  promote: boolean,
): Promise<AgentVersion> {
  const manifest = checked(contents, name)
  const bytes = await writeArchive(contents)
  const digest = createHash('sha256').update(bytes).digest('hex')
  await files.put(packageKey(tenant.tenantId, digest), Readable.from([bytes]), { maxBytes: bytes.length })
  await tenant.transaction(async (tx) => {
    const agent = await lockAgent(tx, name)
    const [existing] = await findVersionRow(tx, { name, version: manifest.version })
    if (existing && existing.digest !== digest) {
      throw new AppError(
        'version_exists',
        `${name} ${manifest.version} exists with other contents; give this one a new version`,
      )
    }
    const resource = `agent:${agent.id}`
    const versionId =
      existing?.id ??
      (await insertVersion(tx, {
        agent_id: agent.id,
        version: manifest.version,
        digest,
        bytes: bytes.length,
        manifest,
      }))
    if (!existing) await record(tx, 'agents.deploy', resource, { version: manifest.version, digest })
    if ((promote || !agent.active_version_id) && agent.active_version_id !== versionId) {
      await activate(tx, agent.id, versionId, manifest.description)
      await record(tx, 'agents.promote', resource, { version: manifest.version })
    }
  })
  return await getVersion(tenant, name, manifest.version)
}

function checked(contents: ReadonlyMap<string, Buffer>, name: string): Manifest {
  const result = parsePackage(contents)
  if (!result.ok) {
    const first = result.faults[0]
    const more = result.faults.length > 1 ? ` (and ${result.faults.length - 1} more)` : ''
    throw new AppError('package_invalid', `${first?.file}${first?.path}: ${first?.reason}${more}`, {
      faults: result.faults,
    })
  }
  const { manifest } = result.package
  if (manifest.name !== name) {
    const reason = `is "${manifest.name}", but the address says ${name}`
    throw new AppError('package_invalid', `agent.json/name ${reason}`, {
      faults: [{ file: 'agent.json', path: '/name', reason }],
    })
  }
  return manifest
}

export async function promote(tenant: Writer, name: string, version: string): Promise<AgentVersion> {
  const row = await versionRow(tenant.rows, name, version)
  await tenant.transaction(async (tx) => {
    await activate(tx, row.agent_id, row.id, (row.manifest as unknown as Manifest).description)
    await record(tx, 'agents.promote', `agent:${row.agent_id}`, { version })
  })
  return { ...toVersion(row), active: true }
}

/** Its versions and sessions stay; no session can be started until a version is promoted again. */
export async function archive(tenant: Writer, name: string): Promise<AgentDetail> {
  await tenant.transaction(async (tx) => {
    const id = await archiveRow(tx, name)
    if (!id) throw notFound('agent')
    await record(tx, 'agents.archive', `agent:${id}`)
  })
  return await getAgent(tenant, name)
}

/** The package of a version as the engine takes it. Throws when the stored bytes are not a valid package any more. */
export async function loadPackage(files: Files, tenantId: string, digest: string): Promise<AgentPackage> {
  const result = parsePackage(await readArchive(await files.bytes(packageKey(tenantId, digest))))
  if (!result.ok) throw new Error(`the stored package ${digest} is not valid: ${result.faults[0]?.reason}`)
  return result.package
}

function packageKey(tenantId: string, digest: string): string {
  return `tenants/${tenantId}/packages/${digest}.tar.gz`
}

function toAgent(row: Awaited<ReturnType<typeof listAgentRows>>[number]): Agent {
  const { name, description, status, version, created_at } = row
  return {
    name,
    description,
    status: status as Agent['status'],
    activeVersion: version ?? null,
    createdAt: created_at.toISOString(),
  }
}

function toVersion(row: Awaited<ReturnType<typeof listVersionRows>>[number]): AgentVersion {
  const { id, name: agent, version, digest, bytes, active_version_id, created_at, created_by: createdBy } = row
  return {
    id,
    agent,
    version,
    digest,
    bytes,
    active: active_version_id === id,
    createdAt: created_at.toISOString(),
    createdBy,
  }
}
