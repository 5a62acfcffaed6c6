import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { decide, getApproval, listApprovals } from '../../src/features/approvals/service.ts'
import { createSession } from '../../src/features/sessions/service.ts'
import { generateSample } from '../../src/templates/hourly-tracking/sample/generate.ts'
import { readTemplate } from '../../src/templates/index.ts'
import type { UploadedFile } from '../../src/tenancy/route.ts'
import { seedTenant } from '../support/database.ts'
import { until } from '../support/until.ts'
import { workplace } from '../support/work.ts'
import { type Report, reportedIds, settledIds, sumsOf, tableOf, totalsOf } from '../templates/reconciliation.ts'

// The pilot on its sample, with real worker processes, the working one killed in the middle of each half.

const agent = 'hourly-tracking'
const place = await workplace(t)
const acme = await seedTenant(place.doors, 'acme')
await place.deploy(acme, agent, await readTemplate(agent))

function startWorker(): ChildProcess {
  const worker = spawn(process.execPath, ['src/worker/main.ts'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      PATH: process.env.PATH,
      ENGINEX_DATABASE_URL: place.workerUrl,
      ENGINEX_FILES_DIRECTORY: place.directory,
      ENGINEX_KEYS_DIRECTORY: place.keysDirectory,
      ENGINEX_LOG_LEVEL: 'warn',
    },
  })
  t.teardown(() => worker.kill('SIGKILL'))
  return worker
}

async function upload(field: string): Promise<UploadedFile> {
  const path = fileURLToPath(new URL(`../../src/templates/${agent}/sample/${field}.csv`, import.meta.url))
  const content = await readFile(path)
  const sha256 = createHash('sha256').update(content).digest('hex')
  return { field, fileName: `${field}.csv`, mediaType: 'text/csv', path, bytes: content.length, sha256 }
}

async function epochOf(runId: string): Promise<number> {
  const { rows } = await place.admin.query('select epoch from runs where id = $1', [runId])
  return rows[0].epoch
}

/** Kills the worker that holds the run once it has recorded `steps` steps, and starts another one. */
async function killDuring(runId: string, worker: ChildProcess, steps: number): Promise<ChildProcess> {
  await until(`step ${steps}`, async () => (await place.rowsOf('checkpoints', runId)).length >= steps)
  worker.kill('SIGKILL')
  await once(worker, 'exit')
  return startWorker()
}

t.test('a killed worker costs nothing: another one finishes, and no row is stored twice', async (t) => {
  const files = [await upload('broker'), await upload('investor')]
  const session = await createSession(place.files, place.as(acme, 'operator', 'runs:write'), { agent }, files)
  const runId = session.run.id
  const second = await killDuring(runId, startWorker(), 2)
  await place.arrives(runId, 'waiting', 60_000)
  const epoch = await epochOf(runId)
  t.ok(epoch >= 2, `taken ${epoch} times`)

  const reader = place.as(acme, 'operator', 'approvals:read')
  const [pending] = (await listApprovals(reader, { status: 'pending' })).items
  const { payloadHash, proposal } = await getApproval(reader, pending!.id)
  const decision = { decision: 'approve', payloadHash, reason: 'checked with the desk' } as const
  const asked = (await place.rowsOf('checkpoints', runId)).length
  await decide(place.as(acme, 'operator', 'approvals:write'), pending!.id, decision, new Date())
  await killDuring(runId, second, asked + 1)
  await place.arrives(runId, 'completed', 60_000)

  const reports = await place.rowsOf('reports', runId)
  t.equal(reports.length, 1, 'one report')
  const key = `tenants/${acme.tenantId}/reports/${runId}/${reports[0]!['call']}/report.json`
  const report = JSON.parse(String(await place.files.bytes(key))) as Report
  const sample = generateSample({ rows: 5000, seed: 1 })
  t.same(settledIds(report), reportedIds(sample), 'every transaction once, none twice')
  const stored = (proposal!.value as Record<string, string>[]).filter((row) => row['action'] === 'store')
  t.same(totalsOf(report), sumsOf(sample, stored), 'the totals of an independent computation')
  t.ok(tableOf(report, 'decisions').length > 0)
  const events = (
    await place.admin.query('select seq from session_events where session_id = $1 order by seq', [session.id])
  ).rows
  t.ok(
    events.every(({ seq }, index) => Number(seq) === index + 1),
    'no event is missing or doubled',
  )
})
