import { type Logger, pino } from 'pino'
import { Database } from '../db/database.ts'
import { Doors, type TakenRun } from '../db/doors.ts'
import { createFiles } from '../providers/files.ts'
import { createMcp, type McpOptions } from '../providers/mcp.ts'
import { createOutgoing } from '../providers/outgoing.ts'
import { createSandbox } from '../providers/sandbox.ts'
import { createVault } from '../providers/vault.ts'
import { type AdvanceProviders, advanceRun } from './advance.ts'
import { createAnnouncer } from './announcer.ts'
import { createDeltas } from './deltas.ts'
import { type Hold, holdRun, type Reason } from './hold.ts'
import { createModelCaller, type DeploymentModel } from './model.ts'
import { createPackages } from './packages.ts'

// The process in which a worker's runs advance; runner.ts starts and ends it. It dies with the worker.

export interface ChildSettings {
  readonly databaseUrl: string
  readonly filesDirectory: string
  readonly keysDirectory: string
  readonly model: DeploymentModel
  readonly mcp: McpOptions
  readonly slots: number
  readonly graceMs: number
  readonly logLevel: string
}

/** The settings come first, once. */
export type ToChild =
  | { readonly settings: ChildSettings }
  | { readonly id: number; readonly run: TakenRun }
  | { readonly id: number; readonly ask: Reason }
  | { readonly id: number; readonly answered: true }
  | { readonly ping: true }
  | { readonly close: true }

export type FromChild = { readonly done: number } | { readonly pong: true }

/** More than one, so that an organization whose tools never end leaves one to the others. */
const toolsAtOnce = 3
const holds = new Map<number, Hold>()
let opened: ReturnType<typeof open> | undefined
let graceMs = 0

process.once('disconnect', () => process.exit())
// Ctrl-C reaches every process of a terminal; the worker says what is to be done about it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined)
process.on('message', (message: ToChild) => {
  if ('settings' in message) begin(message.settings)
  else if ('run' in message) void advance(message.id, message.run)
  else if ('ask' in message) holds.get(message.id)?.ask(message.ask)
  else if ('answered' in message) holds.get(message.id)?.answered()
  else if ('ping' in message) process.send?.({ pong: true } satisfies FromChild)
  else void close()
})

function begin(settings: ChildSettings): void {
  const log = pino({ level: settings.logLevel })
  graceMs = settings.graceMs
  opened = open(settings, log)
  opened.catch((err) => {
    log.fatal({ err }, 'no run can be advanced')
    process.exit(1)
  })
}

async function open(settings: ChildSettings, log: Logger) {
  const { databaseUrl: url, filesDirectory, keysDirectory, model, mcp, slots } = settings
  // What a run's scope reads goes over exclusive connections.
  const database = new Database({ url, applicationName: 'enginex-runs', shared: 0, exclusive: slots + 1 })
  await database.start()
  const files = createFiles({ directory: filesDirectory })
  const vault = createVault({
    directory: keysDirectory,
    onFault: (err) => log.error({ err }, 'the key store cannot be used'),
  })
  const deltas = createDeltas({ send: (batch) => database.tellTexts(batch) })
  const providers: AdvanceProviders = {
    database,
    announce: createAnnouncer(new Doors(database)),
    files,
    loadPackage: createPackages(files),
    vault,
    sandbox: createSandbox({ threads: toolsAtOnce }),
    outgoing: createOutgoing({ allow: mcp.allow }),
    mcp: createMcp(mcp),
    callModel: createModelCaller(model, { vault, deltas }),
    log,
  }
  return { providers, deltas }
}

async function advance(id: number, run: TakenRun): Promise<void> {
  const hold = holdRun(run, graceMs)
  holds.set(id, hold) // at once: what is asked of it while everything is still being opened is meant as well
  const { providers } = (await opened)!
  await advanceRun(providers, hold)
  holds.delete(id)
  process.send?.({ done: id } satisfies FromChild)
}

async function close(): Promise<void> {
  const { providers, deltas } = (await opened)!
  await deltas.close()
  await Promise.all([providers.sandbox.close(), providers.mcp.close()])
  await providers.database.stop()
  process.disconnect()
}
