import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import { workerConfig } from '../config.ts'
import { Database } from '../db/database.ts'
import { Doors } from '../db/doors.ts'
import { Notifications } from '../db/notifications.ts'
import { createFiles } from '../providers/files.ts'
import type { Sandbox } from '../providers/sandbox.ts'
import { createModelCaller } from './model.ts'
import { startScheduler } from './scheduler.ts'

/** Three beats fit into the silence after which a run is taken over, and one poll comes after that: within 20 s in all. */
const times = { pollMs: 1000, beatMs: 5000, silentMs: 15_000, graceMs: 5000, sliceMs: 30_000 }
/** A shutdown that takes longer than this is cut off; the runs are then taken over as after a crash. */
const shutdownMs = 9000

const config = workerConfig()
const log = pino({ level: config.ENGINEX_LOG_LEVEL })
const slots = config.ENGINEX_WORKER_SLOTS
const url = config.ENGINEX_DATABASE_URL
// A run's statements are all exclusive. Two more for taking and beating while every run writes.
const database = await new Database({
  url,
  applicationName: 'enginex-worker',
  shared: 0,
  exclusive: slots + 2,
}).start()
const notifications = await new Notifications(url).start()
const files = createFiles({ directory: config.ENGINEX_FILES_DIRECTORY })
const callModel = createModelCaller({
  baseUrl: config.ENGINEX_MODEL_BASE_URL,
  name: config.ENGINEX_MODEL_NAME,
  apiKey: config.ENGINEX_MODEL_API_KEY,
})

let made: Promise<Sandbox> | undefined
const sandbox = () => {
  made ??= import('../providers/sandbox.ts').then(({ createSandbox }) => createSandbox({ threads: 1 }))
  return made
}

const workerId = randomUUID()
const scheduler = startScheduler({
  ...times,
  doors: new Doors(database),
  workerId,
  slots,
  log,
  // What only a run needs is loaded with the first one: an idle worker stays small.
  advance: async (hold) => {
    const { advanceRun } = await import('./advance.ts')
    await advanceRun({ database, files, sandbox, callModel, log }, hold)
  },
})
notifications.onAny('runs', scheduler.look)
notifications.onAny('requests', scheduler.heed)
log.info({ workerId, slots }, 'the worker is ready')

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, async () => {
    log.info(`${signal}: handing over ${scheduler.held} runs`)
    setTimeout(() => process.exit(1), shutdownMs).unref()
    await scheduler.stop()
    await notifications.stop()
    await (await made)?.close()
    await database.stop()
    process.exit(0)
  })
}
