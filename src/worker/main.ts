import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import { egressAllowed, inheritedEnvironment, workerConfig } from '../config.ts'
import { Database } from '../db/database.ts'
import { Doors, type DueTrigger } from '../db/doors.ts'
import { Notifications } from '../db/notifications.ts'
import { createMailer } from '../providers/mail.ts'
import { readMcpCommands } from '../providers/mcp-commands.ts'
import { createVault } from '../providers/vault.ts'
import { createWebhookSender } from '../providers/webhook-sender.ts'
import { startDeliveries } from './deliveries.ts'
import { startExpiries } from './expiries.ts'
import { createRunner } from './runner.ts'
import { startScheduler } from './scheduler.ts'
import { startTimer } from './timer.ts'

/** Three beats fit into the silence after which a run is taken over, and one poll comes after that: within 20 s in all. */
const times = { pollMs: 1000, beatMs: 5000, silentMs: 15_000, sliceMs: 30_000 }
/** The next time of a timer is known, and a new one is told: this is for what was not heard. */
const timerPollMs = 15_000
/** How long a webhook or a mail server may take to answer. */
const deliveryMs = 10_000
/** A shutdown that takes longer than this is cut off; the runs are then taken over as after a crash. */
const shutdownMs = 9000

const config = workerConfig()
const log = pino({ level: config.ENGINEX_LOG_LEVEL })
const slots = config.ENGINEX_WORKER_SLOTS
const url = config.ENGINEX_DATABASE_URL
const database = new Database({ url, applicationName: 'enginex-worker', shared: 0, exclusive: 4 })
await database.start()
const notifications = await new Notifications(url).start()
const allow = egressAllowed(config)
const settings = {
  databaseUrl: url,
  filesDirectory: config.ENGINEX_FILES_DIRECTORY,
  keysDirectory: config.ENGINEX_KEYS_DIRECTORY,
  model: {
    baseUrl: config.ENGINEX_MODEL_BASE_URL,
    name: config.ENGINEX_MODEL_NAME,
    apiKey: config.ENGINEX_MODEL_API_KEY,
    allow,
  },
  mcp: { allow, commands: readMcpCommands(config.ENGINEX_MCP_STDIO), path: inheritedEnvironment().PATH ?? '' },
  slots,
  graceMs: 5000,
  logLevel: config.ENGINEX_LOG_LEVEL,
}
const runner = createRunner(settings, config.ENGINEX_WORKER_IDLE_SECONDS * 1000)
const workerId = randomUUID()
const doors = new Doors(database)
const scheduler = startScheduler({ ...times, doors, workerId, slots, log, start: runner.start })
// Loaded when the first timer is due: a worker without timers stays small.
const fire = async (due: DueTrigger) => (await import('./fire-timer.ts')).fireDue({ database, doors, log }, due)
const timer = startTimer({ doors, fire, pollMs: timerPollMs, log })
const { ENGINEX_SMTP_URL: smtpUrl, ENGINEX_MAIL_FROM: from } = config
if (Boolean(smtpUrl) !== Boolean(from))
  log.warn('no mail is sent: ENGINEX_SMTP_URL and ENGINEX_MAIL_FROM belong together')
const deliveries = startDeliveries({
  database,
  doors,
  vault: createVault({ directory: config.ENGINEX_KEYS_DIRECTORY }),
  webhooks: createWebhookSender({ allow }),
  sendMail: smtpUrl && from ? createMailer({ url: smtpUrl, from }) : null,
  publicUrl: config.ENGINEX_PUBLIC_URL,
  pollMs: times.pollMs,
  timeoutMs: deliveryMs,
  log,
})
const jobs = [startExpiries({ database, doors, pollMs: times.pollMs, log }), timer, deliveries]
notifications.onAny('deliveries', deliveries.look)
notifications.onAny('runs', scheduler.look)
notifications.onAny('requests', scheduler.heed)
notifications.onAny('answers', scheduler.answered)
notifications.onAny('triggers', timer.look)
log.info({ workerId, slots }, 'the worker is ready')

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, async () => {
    log.info(`${signal}: handing over ${scheduler.held} runs`)
    setTimeout(() => process.exit(1), shutdownMs).unref()
    await Promise.all([scheduler.stop(), ...jobs.map((job) => job.stop())])
    await runner.close()
    await notifications.stop()
    await database.stop()
    process.exit(0)
  })
}
