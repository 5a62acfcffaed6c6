import { parentPort, workerData } from 'node:worker_threads'
import { pino } from 'pino'
import { Database } from '../db/database.ts'
import type { TakenRun } from '../db/doors.ts'
import { createFiles } from '../providers/files.ts'
import { createSandbox } from '../providers/sandbox.ts'
import { type AdvanceProviders, advanceRun } from './advance.ts'
import { type Hold, holdRun, type Reason } from './hold.ts'
import { createModelCaller, type ModelSettings } from './model.ts'

// The thread in which runs advance; runner.ts starts and ends it.

export interface ThreadSettings {
  readonly databaseUrl: string
  readonly filesDirectory: string
  readonly model: ModelSettings
  readonly slots: number
  readonly graceMs: number
  readonly logLevel: string
}

export type ToThread = { id: number; run: TakenRun } | { id: number; ask: Reason } | { close: true }
export interface FromThread {
  readonly done: number
}

const port = parentPort
if (!port) throw new Error('this file runs in a thread of the worker')
const settings = workerData as ThreadSettings
const database = new Database({
  url: settings.databaseUrl,
  applicationName: 'enginex-runs',
  shared: 0, // what a run's scope reads goes over exclusive connections
  exclusive: settings.slots + 1,
})
await database.start()
const sandbox = createSandbox({ threads: 1 })
const providers: AdvanceProviders = {
  database,
  files: createFiles({ directory: settings.filesDirectory }),
  sandbox,
  callModel: createModelCaller(settings.model),
  log: pino({ level: settings.logLevel }),
}
const holds = new Map<number, Hold>()

port.on('message', (message: ToThread) => {
  if ('close' in message) void close()
  else if ('ask' in message) holds.get(message.id)?.ask(message.ask)
  else void advance(message.id, message.run)
})

async function advance(id: number, run: TakenRun): Promise<void> {
  const hold = holdRun(run, settings.graceMs)
  holds.set(id, hold)
  await advanceRun(providers, hold)
  holds.delete(id)
  port?.postMessage({ done: id } satisfies FromThread)
}

async function close(): Promise<void> {
  await sandbox.close()
  await database.stop()
  port?.close()
}
