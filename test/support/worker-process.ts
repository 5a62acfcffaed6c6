import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { inheritedEnvironment } from '../../src/config.ts'
import type { Workplace } from './work.ts'

export interface WorkerSettings {
  readonly slots?: number
  /** Further settings, by their names. */
  readonly environment?: Readonly<Record<string, string>>
}

export interface WorkerProcess {
  /** As runs.worker_id names it. */
  readonly workerId: string
  readonly pid: number
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
  /** To the worker alone, or to the processes of its runs as well. Does nothing when it is gone. */
  signal(name: NodeJS.Signals, whole?: boolean): void
}

/** Starts a worker as `npm run worker` does, in a process group of its own, and waits until it is ready. */
export async function startWorkerProcess(
  place: Pick<Workplace, 'workerUrl' | 'directory' | 'keysDirectory'>,
  settings: WorkerSettings = {},
): Promise<WorkerProcess> {
  const child = spawn(process.execPath, ['src/worker/main.ts'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
    env: {
      ...inheritedEnvironment(),
      ENGINEX_DATABASE_URL: place.workerUrl,
      ENGINEX_FILES_DIRECTORY: place.directory,
      ENGINEX_KEYS_DIRECTORY: place.keysDirectory,
      ENGINEX_LOG_LEVEL: 'info',
      ...(settings.slots ? { ENGINEX_WORKER_SLOTS: String(settings.slots) } : {}),
      ...settings.environment,
    },
  })
  const exited = once(child, 'exit').then(([code, signal]) => ({ code, signal }))
  const workerId = await readyId(child)
  return {
    workerId,
    pid: child.pid!,
    exited,
    signal: (name, whole = false) => {
      try {
        process.kill(whole ? -child.pid! : child.pid!, name)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
      }
    },
  }
}

/** The worker's id from its first words; what it says later is read and dropped, so that it is never held up. */
async function readyId(child: ChildProcess): Promise<string> {
  const said: string[] = []
  for await (const line of createInterface({ input: child.stdout! })) {
    said.push(line)
    const workerId = /"workerId":"([0-9a-f-]{36})".*the worker is ready/.exec(line)?.[1]
    if (!workerId) continue
    child.stdout!.resume()
    return workerId
  }
  throw new Error(`the worker ended while it started:\n${said.join('\n')}`)
}
