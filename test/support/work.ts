import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import type { Test } from 'tap'
import type { ConnectionOptions } from '../../src/db/connections.ts'
import { Doors } from '../../src/db/doors.ts'
import { Notifications } from '../../src/db/notifications.ts'
import type { ModelResult } from '../../src/engine/machine.ts'
import { deployFiles } from '../../src/features/agents/service.ts'
import type { Decision } from '../../src/features/approvals/schema.ts'
import { decide, getApproval } from '../../src/features/approvals/service.ts'
import { createSession } from '../../src/features/sessions/service.ts'
import { createFiles, type Files } from '../../src/providers/files.ts'
import { createMcp } from '../../src/providers/mcp.ts'
import { createOutgoing } from '../../src/providers/outgoing.ts'
import { createSandbox, type Sandbox, type SandboxRequest } from '../../src/providers/sandbox.ts'
import { createVault, type Vault } from '../../src/providers/vault.ts'
import { TenantContext } from '../../src/tenancy/context.ts'
import type { Permission, Role } from '../../src/tenancy/permissions.ts'
import type { UploadedFile } from '../../src/tenancy/route.ts'
import { type AdvanceProviders, advanceRun } from '../../src/worker/advance.ts'
import { createAnnouncer } from '../../src/worker/announcer.ts'
import { createDeltas } from '../../src/worker/deltas.ts'
import type { ModelEffect } from '../../src/worker/effects/effect.ts'
import { holdRun } from '../../src/worker/hold.ts'
import { createModelCaller, type DeploymentModel } from '../../src/worker/model.ts'
import type { Patience } from '../../src/worker/model-question.ts'
import { createPackages } from '../../src/worker/packages.ts'
import { type Scheduler, type SchedulerOptions, startScheduler } from '../../src/worker/scheduler.ts'
import { type TestDatabase, type TestTenant, testDatabase } from './database.ts'
import { noMcp } from './mcp.ts'
import { until } from './until.ts'

export type WorkerOptions = Partial<Omit<SchedulerOptions, 'doors' | 'workerId' | 'start'>> &
  Partial<Pick<AdvanceProviders, 'files' | 'mcp' | 'outgoing'>> & {
    /** Answers in place of every model. Without it, tenants' settings and `model` serve. */
    readonly callModel?: (question: ModelEffect, signal: AbortSignal) => Promise<ModelResult>
    /** The deployment's own model, and what tenants' models may reach. */
    readonly model?: Partial<DeploymentModel>
    readonly patience?: Patience
    /** By which way it reaches the database, and for how long that may be silent. */
    readonly connection?: Pick<ConnectionOptions, 'url' | 'answerMs'>
    /** Called before each tool; whatever it waits for, the tool waits for. */
    readonly graceMs?: number
    readonly before?: (request: SandboxRequest) => Promise<unknown> | undefined
  }

/** A row as PostgreSQL gives it. */
export type Row = Record<string, unknown>

export interface Workplace extends TestDatabase {
  readonly files: Files
  readonly vault: Vault
  readonly directory: string
  readonly keysDirectory: string
  as<P extends Permission>(tenant: TestTenant, role: Role, permission: P): ReturnType<typeof TenantContext.open<P>>
  /** Deploys the package's files as the tenant's builder. */
  deploy(tenant: TestTenant, name: string, contents: ReadonlyMap<string, Buffer>): Promise<void>
  /** Starts a session as the tenant's operator. */
  begin(
    tenant: TestTenant,
    agent: string,
    input?: Record<string, unknown>,
    uploads?: readonly UploadedFile[],
  ): Promise<{ sessionId: string; runId: string }>
  /** A worker of this process, over connections of its own; it stops when the test ends. */
  work(t: Pick<Test, 'teardown'>, options?: WorkerOptions): Promise<Scheduler>
  /** Waits until the run has this status; gives its row. */
  arrives(runId: string, status: string, timeoutMs?: number): Promise<Row>
  /** Rows of a table that belong to the run. */
  rowsOf(table: string, runId: string): Promise<Row[]>
  /** Types of the session's events in order; throws when their numbers have a gap. */
  eventsOf(sessionId: string): Promise<string[]>
  /** Answers the run's last question as the tenant's operator, with the reason "because". */
  answer(tenant: TestTenant, runId: string, decision: Decision['decision'], values?: unknown): Promise<void>
}

/** Everything that a run needs but the API and Keycloak: a database, files, tools in the real sandbox. */
export async function workplace(t: Pick<Test, 'teardown'>): Promise<Workplace> {
  const testing = await testDatabase(t)
  const { admin, database } = testing
  const directory = await mkdtemp(join(tmpdir(), 'enginex-work-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  const files = createFiles({ directory })
  const keysDirectory = join(directory, 'keys')
  const vault = createVault({ directory: keysDirectory })
  const sandbox = createSandbox({ threads: 2 })
  t.teardown(() => sandbox.close())

  const as = <P extends Permission>(tenant: TestTenant, role: Role, permission: P) =>
    TenantContext.open(
      database,
      tenant.tenantId,
      { userId: tenant.members[role], issuedAt: new Date().toISOString(), roles: [role] },
      permission,
    )
  return {
    ...testing,
    files,
    vault,
    directory,
    keysDirectory,
    as,
    async deploy(tenant, name, contents) {
      await deployFiles(files, as(tenant, 'builder', 'agents:write'), name, contents, true)
    },
    async begin(tenant, agent, input = {}, uploads = []) {
      const session = await createSession(files, as(tenant, 'operator', 'runs:write'), { agent, input }, uploads)
      return { sessionId: session.id, runId: session.run.id }
    },
    work: (t, options) => startWorker(t, testing, { files, vault, sandbox }, options),
    ...records(admin),
    async answer(tenant, runId, decision, values) {
      const operator = as(tenant, 'operator', 'approvals:write')
      const text = `select id from approvals where run_id = $1 and status = 'pending'`
      const id = (await admin.query(text, [runId])).rows[0]?.id
      const { payloadHash } = await getApproval(operator, id)
      const given = values === undefined ? {} : { values }
      await decide(operator, id, { decision, payloadHash, reason: 'because', ...given }, new Date())
    },
  }
}

type Records = Pick<Workplace, 'arrives' | 'rowsOf' | 'eventsOf'>

function records(admin: TestDatabase['admin']): Records {
  return {
    arrives: (runId, status, timeoutMs) =>
      until(
        `the run is ${status}`,
        async () => {
          const { rows } = await admin.query('select * from runs where id = $1', [runId])
          return rows[0]?.status === status ? rows[0] : undefined
        },
        timeoutMs,
      ),
    async rowsOf(table, runId) {
      const column = table === 'runs' ? 'id' : 'run_id'
      return (await admin.query(`select * from ${table} where ${column} = $1`, [runId])).rows
    },
    async eventsOf(sessionId) {
      const text = 'select seq, type from session_events where session_id = $1 order by seq'
      const { rows } = await admin.query<{ seq: string; type: string }>(text, [sessionId])
      const gap = rows.findIndex(({ seq }, index) => Number(seq) !== index + 1)
      if (gap !== -1) throw new Error(`the events have a gap at ${gap + 1}`)
      return rows.map(({ type }) => type)
    },
  }
}

async function startWorker(
  t: Pick<Test, 'teardown'>,
  { workerUrl, connect }: TestDatabase,
  shared: { files: Files; vault: Vault; sandbox: Sandbox },
  {
    before,
    callModel,
    model,
    patience,
    files,
    mcp,
    outgoing,
    connection,
    graceMs = 2000,
    ...options
  }: WorkerOptions = {},
): Promise<Scheduler> {
  const log = pino({ level: 'silent' })
  const database = await connect({ url: workerUrl, shared: 0, exclusive: 10, ...connection })
  const doors = new Doors(database)
  const deltas = createDeltas({ send: (batch) => database.tellTexts(batch) })
  const own = { baseUrl: undefined, name: undefined, apiKey: undefined, allow: [], ...model }
  const asked = createModelCaller(own, { vault: shared.vault, deltas, ...(patience ? { patience } : {}) })
  const stubbed =
    callModel &&
    (async (...[question, { signal }]: Parameters<typeof asked>) => {
      return { result: await callModel(question, signal), calls: [] }
    })
  const providers: AdvanceProviders = {
    database,
    files: files ?? shared.files,
    loadPackage: createPackages(files ?? shared.files),
    announce: createAnnouncer(doors),
    vault: shared.vault,
    sandbox: gated(shared.sandbox, before),
    outgoing: outgoing ?? createOutgoing({}),
    mcp: mcp ?? createMcp(noMcp),
    callModel: stubbed ?? asked,
    log,
  }
  const notifications = await new Notifications(workerUrl).start()
  t.teardown(() => notifications.stop())
  const scheduler = startScheduler({
    slots: 8,
    pollMs: 50,
    beatMs: 100,
    silentMs: 5000,
    sliceMs: 60_000,
    log,
    ...options,
    doors,
    workerId: randomUUID(),
    start: (run) => {
      const hold = holdRun(run, graceMs)
      return { done: advanceRun(providers, hold), ask: hold.ask, answered: hold.answered }
    },
  })
  notifications.onAny('runs', scheduler.look)
  notifications.onAny('requests', scheduler.heed)
  notifications.onAny('answers', scheduler.answered)
  t.teardown(() => scheduler.stop())
  return scheduler
}

function gated(sandbox: Sandbox, before: WorkerOptions['before']): Sandbox {
  return {
    async run(request, signal) {
      await before?.(request)
      return await sandbox.run(request, signal)
    },
    close: async () => undefined,
  }
}

/** A gate: whoever comes waits until it is opened. */
export function gate() {
  const { promise, resolve } = Promise.withResolvers<void>()
  let came = 0
  return {
    open: resolve,
    get came() {
      return came
    },
    pass: () => {
      came += 1
      return promise
    },
  }
}
