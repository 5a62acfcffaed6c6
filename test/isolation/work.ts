import { createHash, randomUUID } from 'node:crypto'
import type pg from 'pg'
import { writeArchive } from '../../src/providers/archive.ts'
import type { Files } from '../../src/providers/files.ts'
import type { TestTenant } from '../support/database.ts'

/** One of everything that a tenant can own. Texts hold the owner's alias, which must never show up elsewhere. */
export interface Work {
  readonly agent: string
  readonly version: string
  readonly sessionId: string
  readonly runId: string
  readonly approvalId: string
  readonly payloadHash: string
  readonly reportId: string
  readonly messageId: string
  readonly triggerId: string
  /** A member who may decide. */
  readonly delegateId: string
  readonly endpointId: string
}

/** A small valid package: one tool, no input. */
export async function packageOf(name: string, version: string): Promise<Buffer> {
  const manifest = manifestOf(name, version)
  return await writeArchive(
    new Map([
      ['agent.json', Buffer.from(JSON.stringify(manifest))],
      ['tools/work.js', Buffer.from(`export default () => ({ done: '${name}' })`)],
    ]),
  )
}

/** A valid SKILL.md. */
export function skillOf(name: string): string {
  return `---\nname: ${name}\ndescription: what ${name} knows\n---\nThe way of ${name}.\n`
}

function manifestOf(name: string, version: string) {
  return {
    name,
    version,
    description: `what ${name} does`,
    goal: { name: 'work', description: `done by ${name}` },
    graph: {
      entryNode: 'work',
      nodes: [{ id: 'work', type: 'function', tool: 'work', inputKeys: ['payload'], outputKeys: ['done'] }],
      edges: [],
      terminalNodes: ['work'],
    },
    tools: [{ name: 'work', file: 'tools/work.js', description: 'works' }],
  }
}

/** Puts new work into a tenant: an agent, and a session whose run waits for an approval and has left a report. */
export async function seedWork(admin: pg.Client, files: Files, tenant: TestTenant): Promise<Work> {
  const { tenantId, alias, members } = tenant
  const agent = `${alias}-${randomUUID().slice(0, 8)}`
  const work = { agent, version: '1.0.0', ...newIds(), payloadHash: createHash('sha256').update(agent).digest('hex') }
  const stored = await storeFiles(files, tenantId, alias, work)
  const insert = async (table: string, row: Record<string, unknown>) => {
    const all = { tenant_id: tenantId, ...row }
    const holes = Object.keys(all).map((_, index) => `$${index + 1}`)
    await admin.query(`insert into app.${table} (${Object.keys(all)}) values (${holes})`, Object.values(all))
  }
  const { agentId, versionId, sessionId, runId } = work
  const by = { created_by: `user:${members.builder}` }
  await insert('agents', { id: agentId, name: agent, description: `of ${alias}`, ...by })
  const manifest = JSON.stringify(manifestOf(agent, work.version))
  const version = { id: versionId, agent_id: agentId, version: work.version, digest: stored.digest, bytes: 1, manifest }
  await insert('agent_versions', { ...version, ...by })
  await admin.query('update app.agents set active_version_id = $1 where id = $2', [versionId, agentId])
  await seedModels(insert, agent, alias, by)
  await seedTools(insert, agent, alias, by)
  await seedPeople(insert, work, alias)
  await seedTrigger(insert, work, members.builder)
  const session = { id: sessionId, agent_id: agentId, agent_version_id: versionId, last_seq: 1, ...by }
  await insert('sessions', { ...session, title: `session of ${alias}`, input: JSON.stringify({ note: alias }) })
  const file = { session_id: sessionId, name: 'ledger', media_type: 'text/csv', bytes: stored.ledger.bytes }
  await insert('session_files', { ...file, sha256: stored.ledger.sha256 })
  await insert('runs', { id: runId, session_id: sessionId, status: 'waiting', current_node: alias, ...by })
  await insert('run_steps', { run_id: runId, step: 1, attempt: 1, node_id: alias, status: 'waiting' })
  await insert('run_memory', { run_id: runId, key: 'note', seq: 0, value: JSON.stringify(alias) })
  await insert('checkpoints', { run_id: runId, seq: 0, state: JSON.stringify({ note: alias }) })
  const event = { session_id: sessionId, seq: 1, run_id: runId, type: 'test.seeded' }
  await insert('session_events', { ...event, data: JSON.stringify({ note: alias }) })
  const payload = { message: `asked in ${alias}`, evidence: [], proposal: null, editSchema: null }
  const question = { call: '1.1', node_id: alias, title: `question of ${alias}`, payload: JSON.stringify(payload) }
  const of = { session_id: sessionId, run_id: runId }
  await insert('approvals', { id: work.approvalId, ...of, ...question, payload_hash: work.payloadHash })
  const asked = { call: '1.2', node_id: alias, prompt: JSON.stringify({ prompt: `asked of ${alias}`, evidence: [] }) }
  await insert('messages', { id: work.messageId, ...of, ...asked })
  const report = { call: '1.1', title: `report of ${alias}`, files: JSON.stringify([stored.report]) }
  await insert('reports', { id: work.reportId, ...of, ...report })
  return work
}

type Insert = (table: string, row: Record<string, unknown>) => Promise<void>

async function seedPeople(insert: Insert, work: ReturnType<typeof newIds> & { agent: string }, alias: string) {
  const { agent, delegateId, endpointId, deliveryId } = work
  await insert('memberships', { user_id: delegateId, roles: ['operator'] })
  await insert('approval_policies', { name: agent, policy: '{"roles":["operator"]}', updated_by: alias })
  const endpoint = { url: `https://${alias}.example.com/hook`, events: ['run.failed'], secret: Buffer.from(agent) }
  await insert('notification_endpoints', {
    id: endpointId,
    ...endpoint,
    secret_id: endpointId,
    enabled: false,
    created_by: alias,
  })
  const end = { status: 'failed', error: `failure of ${alias}`, finished_at: new Date() }
  await insert('notification_deliveries', {
    id: deliveryId,
    endpoint_id: endpointId,
    type: 'run.failed',
    data: '{}',
    ...end,
  })
}

async function seedModels(insert: Insert, agent: string, alias: string, by: object): Promise<void> {
  await insert('credentials', {
    name: agent,
    type: 'api_key',
    key_names: ['key'],
    secret: Buffer.from(agent),
    allowed_hosts: [`${alias}.example.com`],
    ...by,
  })
  const served = { purpose: agent, provider: 'openai_compatible', model: `model of ${alias}`, ...by }
  const bounds = { max_tokens: 100, timeout_ms: 1000, fallbacks: [] }
  await insert('model_settings', { ...served, base_url: 'http://127.0.0.1:9/v1', ...bounds })
}

async function seedTools(insert: Insert, name: string, alias: string, by: object): Promise<void> {
  const server = { transport: 'stdio', command: 'sample', headers: '{}', allowed_tools: '["*"]', timeout_ms: 30_000 }
  await insert('mcp_servers', { name, description: `of ${alias}`, ...server, ...by })
  await insert('skills', { name, description: `of ${alias}`, text: skillOf(name), ...by })
}

async function seedTrigger(insert: Insert, work: Record<string, string>, owner: string): Promise<void> {
  const { triggerId, agentId, agent } = work
  const trigger = {
    id: triggerId,
    name: `trigger of ${agent}`,
    kind: 'webhook',
    agent_id: agentId,
    payload_key: 'payload',
  }
  await insert('triggers', { ...trigger, max_concurrent: 9, owner, created_by: `user:${owner}` })
  const reason = JSON.stringify({ code: 'conflict', message: `not for ${agent}` })
  await insert('trigger_firings', {
    trigger_id: triggerId,
    outcome: 'failed',
    reason,
    fired_by: `trigger:${triggerId}`,
  })
}

function newIds() {
  const names = [
    'agentId',
    'versionId',
    'sessionId',
    'runId',
    'approvalId',
    'reportId',
    'messageId',
    'delegateId',
    'triggerId',
    'endpointId',
    'deliveryId',
  ] as const
  return Object.fromEntries(names.map((name) => [name, randomUUID()])) as Record<(typeof names)[number], string>
}

async function storeFiles(files: Files, tenantId: string, alias: string, work: { agent: string; runId: string }) {
  const bytes = await packageOf(work.agent, '1.0.0')
  const digest = createHash('sha256').update(bytes).digest('hex')
  await files.put(`tenants/${tenantId}/packages/${digest}.tar.gz`, bytes, { maxBytes: bytes.length })
  const text = Buffer.from(`a line of ${alias}\n`)
  const sha256 = createHash('sha256').update(text).digest('hex')
  const limit = { maxBytes: text.length }
  const ledger = await files.put(`tenants/${tenantId}/inputs/${sha256}`, text, limit)
  const stored = await files.put(`tenants/${tenantId}/reports/${work.runId}/1.1/report.html`, text, limit)
  return { digest, ledger, report: { name: 'report.html', mediaType: 'text/html', ...stored } }
}
