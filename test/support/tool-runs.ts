import { putCredential } from '../../src/features/credentials/service.ts'
import type { TestTenant } from './database.ts'
import { tinyPackage } from './tiny-package.ts'
import type { Workplace } from './work.ts'

/** What a test puts into credentials; it must not be found anywhere. */
export const canary = 'sk-canary-4711'

/** Stores a credential of one key. */
export async function keep(
  place: Workplace,
  tenant: TestTenant,
  name: string,
  allowedHosts: string[],
  key = canary,
): Promise<void> {
  const admin = place.as(tenant, 'tenant-admin', 'credentials:write')
  await putCredential(place.vault, admin, name, { type: 'api_key', keys: { key }, allowedHosts })
}

const input = { type: 'object', properties: { url: {}, method: {}, headers: {}, body: {}, q: {} } }

/** A package of one node. */
export function packageWith(name: string, first: object, change: object = {}, files: Record<string, string> = {}) {
  const contents = tinyPackage({ name, first: { id: 'double', inputKeys: [], outputKeys: [], ...first } })
  const manifest = JSON.parse(String(contents.get('agent.json')))
  manifest.graph.nodes.splice(1)
  Object.assign(manifest.graph, { edges: [], pauseNodes: [], terminalNodes: ['double'] })
  contents.set('agent.json', Buffer.from(JSON.stringify({ ...manifest, input, ...change })))
  for (const [path, text] of Object.entries(files)) contents.set(path, Buffer.from(text))
  return contents
}

/** All that is stored of a run, as one text. */
export async function storedOf(place: Workplace, runId: string): Promise<string> {
  const { rows } = await place.admin.query('select session_id from runs where id = $1', [runId])
  const tables = ['checkpoints', 'run_memory', 'run_steps', 'runs']
  const parts = await Promise.all(tables.map((table) => place.rowsOf(table, runId)))
  const events = await place.admin.query('select * from session_events where session_id = $1', [rows[0].session_id])
  return JSON.stringify([parts, events.rows])
}

export const crm = { requiredCredentials: [{ name: 'crm', type: 'api_key' }] }
