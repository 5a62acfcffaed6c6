import type { TenantQueries } from '../../db/queries.ts'
import { entryPointsOf } from '../../engine/graph.ts'
import type { Manifest } from '../../engine/schema.ts'
import { AppError } from '../../errors.ts'
import type { UploadedFile } from '../../tenancy/route.ts'
import { type StartableVersion, startableIn } from '../agents/service.ts'
import { record } from '../audit/service.ts'
import { missingCredentials } from '../credentials/service.ts'
import { appendEvents, createRun } from '../runs/service.ts'
import type { StoredFile } from '../schema.ts'
import { missingServers } from '../tools/service.ts'
import { checkInput } from './input.ts'
import { insertFiles, insertSession } from './repository.ts'

/** What a session is started with, by a person, a trigger or a run. */
export interface SessionStart {
  readonly agent: string
  readonly title?: string | undefined
  readonly input?: Record<string, unknown> | undefined
  /** One of the package's entry points; its entry node when left out. */
  readonly entryPoint?: string | undefined
  /** The trigger that fires. */
  readonly triggerId?: string
}

/**
 * Starts a session with the agent's active version in the transaction of whoever acts: its row, first run, event and
 * audit entry. Throws not_found, `conflict` (archived, nothing active) or input_invalid before anything is written.
 */
export async function startSession(
  tx: TenantQueries,
  start: SessionStart,
): Promise<{ sessionId: string; runId: string }> {
  const version = await startableIn(tx, start.agent, undefined)
  await checkStart(version.manifest, start, [])
  return await insertStart(tx, version, start, [])
}

/** Throws input_invalid when the version has no such entry point, or with every value and file that does not fit it. */
export async function checkStart(
  manifest: Manifest,
  { input = {}, entryPoint }: SessionStart,
  uploads: readonly UploadedFile[],
): Promise<void> {
  if (entryPoint !== undefined && !entryPointsOf(manifest.graph).has(entryPoint)) {
    const faults = [{ path: 'entryPoint', reason: 'the agent has no such entry point' }]
    throw new AppError('input_invalid', `the agent has no entry point ${entryPoint}`, { faults })
  }
  await checkInput(manifest, input, uploads)
}

/** Writes a start that was checked. Throws credentials_required or mcp_servers_required with each that is missing. */
export async function insertStart(
  tx: TenantQueries,
  { agentId, versionId, version, manifest }: StartableVersion,
  { agent, title, input = {}, entryPoint, triggerId }: SessionStart,
  stored: readonly StoredFile[],
): Promise<{ sessionId: string; runId: string }> {
  await assertCredentials(tx, manifest)
  await assertServers(tx, manifest)
  const sessionId = await insertSession(tx, {
    agent_id: agentId,
    agent_version_id: versionId,
    title: title ?? agent,
    input,
    entry_point: entryPoint ?? null,
  })
  await insertFiles(tx, sessionId, stored)
  const runId = await createRun(tx, sessionId, triggerId)
  await record(tx, 'sessions.create', `session:${sessionId}`, { agent, version })
  await appendEvents(tx, sessionId, runId, [{ type: 'session_created', nodeId: null, data: { agent, version } }])
  return { sessionId, runId }
}

async function assertCredentials(tx: TenantQueries, { requiredCredentials = [] }: Manifest): Promise<void> {
  const missing = await missingCredentials(
    tx,
    requiredCredentials.map(({ name }) => name),
  )
  if (missing.length === 0) return
  const faults = missing.map((name) => ({ path: `credentials/${name}`, reason: 'is missing, or has expired' }))
  const message = `the organization lacks what the agent needs: ${missing.join(', ')}; an admin adds these credentials`
  throw new AppError('credentials_required', message, { faults })
}

async function assertServers(tx: TenantQueries, { mcpServers = [] }: Manifest): Promise<void> {
  const missing = await missingServers(
    tx,
    mcpServers.map(({ name }) => name),
  )
  if (missing.length === 0) return
  const faults = missing.map((name) => ({ path: `mcp-servers/${name}`, reason: 'is missing' }))
  const message = `the organization lacks what the agent needs: ${missing.join(', ')}; a builder sets up these MCP servers`
  throw new AppError('mcp_servers_required', message, { faults })
}
