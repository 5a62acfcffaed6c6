import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

export interface Account {
  readonly uid: number
  readonly gid: number
}

export interface ChildOptions {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly cwd?: string
  /** The whole environment of the child; without it, the parent's. */
  readonly env?: NodeJS.ProcessEnv
  /** Takes the output; the file of the start before is kept beside it as `.old`. */
  readonly logFile: string
  /** What the kernel sends the child when this process dies, however it dies. */
  readonly deathSignal: 'SIGINT' | 'SIGTERM' | 'SIGKILL'
  /** Holds the process id while the child lives, for a later start to find it by. */
  readonly pidFile?: string
  /** Run as this account; only root can. */
  readonly account?: Account
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface Child {
  readonly name: string
  readonly pid: number
  /** Settles when the child is gone; never rejects. */
  readonly exited: Promise<Exit>
  /** The end of what the child has said so far. */
  tail(): string
  /** Sends the signal, waits, and kills what has not gone after graceMs. */
  stop(signal: NodeJS.Signals, graceMs: number): Promise<Exit>
}

const setpriv = '/usr/bin/setpriv'

/**
 * The command line that drops root and asks the kernel to end the child with its parent. A dropped root keeps the
 * right to pass folders (CAP_DAC_OVERRIDE), since a clone may lie in one that only root may enter; without the secure
 * bit, access(2) would not count that right, and initdb asks it.
 */
export function confined(options: Pick<ChildOptions, 'command' | 'args' | 'account' | 'deathSignal'>): string[] {
  const { command, args, account, deathSignal } = options
  if (!existsSync(setpriv)) {
    if (account) throw new Error(`${setpriv} is missing (package util-linux): install it, or do not run as root.`)
    return [command, ...args]
  }
  const drop = account
    ? [`--reuid=${account.uid}`, `--regid=${account.gid}`, '--clear-groups'].concat([
        '--securebits=+no_setuid_fixup',
        '--inh-caps=-all,+dac_override',
        '--ambient-caps=-all,+dac_override',
        '--bounding-set=-all,+dac_override',
      ])
    : []
  return [setpriv, ...drop, `--pdeathsig=${deathSignal.slice(3)}`, command, ...args]
}

/** Starts a child in a process group of its own, so that Ctrl-C reaches only us and we choose the order. */
export async function startChild(options: ChildOptions): Promise<Child> {
  const [file = '', ...args] = confined(options)
  if (existsSync(options.logFile)) renameSync(options.logFile, `${options.logFile}.old`)
  const log = openSync(options.logFile, 'w', 0o600)
  let child: ChildProcess
  try {
    child = spawn(file, args, { cwd: options.cwd, env: options.env, detached: true, stdio: ['ignore', log, log] })
  } finally {
    closeSync(log)
  }
  const { pidFile } = options
  const exited = new Promise<Exit>((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })))
  await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject))
  if (pidFile) {
    writeFileSync(pidFile, String(child.pid))
    void exited.then(() => rmSync(pidFile, { force: true }))
  }
  return {
    name: options.name,
    pid: child.pid!,
    exited,
    tail: () => tailOf(options.logFile),
    stop: (signal, graceMs) => stopGroup(child, exited, signal, graceMs),
  }
}

async function stopGroup(child: ChildProcess, exited: Promise<Exit>, signal: NodeJS.Signals, graceMs: number) {
  child.kill(signal)
  const timer = setTimeout(() => send(-child.pid!, 'SIGKILL'), graceMs)
  const exit = await exited
  clearTimeout(timer)
  return exit
}

/** To a process, or with a negative number to a group; one that is gone already is no fault. */
export function send(pid: number, signal: NodeJS.Signals) {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Polls until the condition holds. A child that is not ready in time is ended; the error shows the end of its log. */
export async function until(child: Child, timeoutMs: number, condition: () => Promise<boolean> | boolean) {
  const deadline = performance.now() + timeoutMs
  let gone: Exit | undefined
  void child.exited.then((exit) => {
    gone = exit
  })
  while (!(await condition())) {
    if (gone)
      throw new Error(
        `${child.name} ended while starting (${gone.signal ?? `exit code ${gone.code}`}):\n${child.tail()}`,
      )
    if (performance.now() > deadline) {
      await child.stop('SIGTERM', 5_000)
      throw new Error(`${child.name} was not ready in ${timeoutMs / 1000} s:\n${child.tail()}`)
    }
    await delay(100)
  }
}

/**
 * Ends what an earlier, killed start left behind, so that nothing works on the same data twice. The file's first line is
 * the process id; it counts only when that process's command line holds `mark`, since the number may have a new owner.
 */
export async function stopLeftover(pidFile: string, mark: string, signal: NodeJS.Signals): Promise<void> {
  const pid = existsSync(pidFile) ? Number.parseInt(readFileSync(pidFile, 'utf8'), 10) : 0
  if (pid > 0 && isRunning(pid, mark)) {
    const deadline = performance.now() + 20_000
    send(pid, signal)
    while (isRunning(pid, mark)) {
      if (performance.now() > deadline) send(pid, 'SIGKILL')
      await delay(50)
    }
  }
  rmSync(pidFile, { force: true })
}

/** Whether the process lives and its command line holds `mark`. */
export function isRunning(pid: number, mark: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').includes(mark)
  } catch {
    return false
  }
}

function tailOf(file: string): string {
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-15).join('\n')
}
