import { existsSync } from 'node:fs'
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { javaOptions, prepareKeycloak, removeAbandoned, requireJava } from './keycloak-distribution.ts'
import { requirePort } from './ports.ts'
import { type Child, startChild, stopLeftover, until } from './process.ts'

export interface KeycloakOptions {
  /** Where the fetched and built Keycloak is kept; may be shared by several running ones. */
  readonly cacheDirectory: string
  /** The home of this one: its settings and the realm to import. */
  readonly directory: string
  readonly port: number
  readonly managementPort: number
  readonly database: { readonly port: number; readonly name: string; readonly user: string; readonly password: string }
  /** Imported when Keycloak does not have it yet. */
  readonly realm: { readonly realm: string }
  /** The administrator of Keycloak itself, made on the first start. */
  readonly admin: { readonly username: string; readonly password: string }
  readonly logFile?: string
  /** Told what takes long, when there is such a thing. */
  readonly onProgress?: (what: string) => void
}

export interface Keycloak {
  /** Base address, without a trailing slash. */
  readonly url: string
  readonly pid: number
  readonly exited: Child['exited']
  stop(): Promise<void>
}

/**
 * Starts Keycloak on 127.0.0.1 and waits until it answers, fetching and building it first when the cache has none. It
 * ends with this process. Throws one line that says what to do.
 */
export async function startKeycloak(options: KeycloakOptions): Promise<Keycloak> {
  const java = await requireJava()
  const home = resolve(options.directory)
  const pidFile = join(home, 'keycloak.pid')
  await stopLeftover(pidFile, `-Dkc.home.dir=${home}`, 'SIGTERM')
  await requirePort(options.port, 'Keycloak')
  await requirePort(options.managementPort, 'the health check of Keycloak')
  const distribution = await prepareKeycloak(options.cacheDirectory, options.onProgress)
  await makeHome(home, distribution, options)

  // The first run leaves an archive of its loaded classes, which halves the start of all later ones.
  const archive = join(distribution, `classes-${java}.jsa`)
  const newArchive = existsSync(archive) ? undefined : `${archive}.making-${process.pid}`
  await removeAbandoned(distribution, `classes-${java}.jsa.making-`)
  const child = await startChild({
    name: 'Keycloak',
    command: 'java',
    args: commandLine(
      distribution,
      home,
      newArchive ? `-XX:ArchiveClassesAtExit=${newArchive}` : `-XX:SharedArchiveFile=${archive}`,
    ),
    cwd: home,
    logFile: options.logFile ?? join(home, 'keycloak.log'),
    pidFile,
    deathSignal: 'SIGTERM',
  })
  await until(child, 300_000, () => isReady(options.managementPort))
  return {
    url: `http://127.0.0.1:${options.port}`,
    pid: child.pid,
    exited: child.exited,
    async stop() {
      const { signal } = await child.stop('SIGTERM', 30_000)
      // Killed while writing it: the archive is not whole.
      if (newArchive && signal !== 'SIGKILL') await rename(newArchive, archive).catch(() => undefined)
    },
  }
}

/** A home of its own around the shared distribution: kc.sh would insist on the one folder it lies in. */
async function makeHome(home: string, distribution: string, options: KeycloakOptions) {
  await rm(join(home, 'data/import'), { recursive: true, force: true })
  await mkdir(join(home, 'data/import'), { recursive: true })
  await mkdir(join(home, 'conf'), { recursive: true })
  for (const name of ['lib', 'providers', 'themes']) {
    await rm(join(home, name), { force: true })
    await symlink(join(distribution, name), join(home, name))
  }
  await writeFile(join(home, 'data/import', `${options.realm.realm}-realm.json`), JSON.stringify(options.realm), {
    mode: 0o600,
  })
  // A file, since arguments and environment of a process can be read by others.
  await writeFile(join(home, 'conf/keycloak.conf'), settings(options), { mode: 0o600 })
}

function settings({ port, managementPort, database, admin }: KeycloakOptions): string {
  return Object.entries({
    'http-enabled': 'true',
    'http-host': '127.0.0.1',
    'http-port': port,
    'http-management-host': '127.0.0.1',
    'http-management-port': managementPort,
    hostname: `http://127.0.0.1:${port}`,
    'db-url': `jdbc:postgresql://127.0.0.1:${database.port}/${database.name}`,
    'db-username': database.user,
    'db-password': database.password,
    // Its health check logs a line for every poll that comes too early.
    'log-level': 'info,io.smallrye.health:error',
    'bootstrap-admin-username': admin.username,
    'bootstrap-admin-password': admin.password,
  })
    .map(([name, value]) => `${name}=${value}\n`)
    .join('')
}

function commandLine(distribution: string, home: string, archiveOption: string): string[] {
  const opens = ['java.util', 'java.util.concurrent', 'java.security', 'java.lang'].map(
    (name) => `--add-opens=java.base/${name}=ALL-UNNAMED`,
  )
  return [
    ...javaOptions,
    ...opens,
    archiveOption,
    '-Dfile.encoding=UTF-8',
    '-Duser.language=en',
    '-Duser.country=US',
    '-Djava.util.logging.manager=org.jboss.logmanager.LogManager',
    '-Djava.util.concurrent.ForkJoinPool.common.threadFactory=io.quarkus.bootstrap.forkjoin.QuarkusForkJoinWorkerThreadFactory',
    '-Dpicocli.disable.closures=true',
    `-Dkc.home.dir=${home}`,
    `-Djboss.server.config.dir=${join(home, 'conf')}`,
    '-cp',
    join(distribution, 'lib/quarkus-run.jar'),
    'io.quarkus.bootstrap.runner.QuarkusEntryPoint',
    'start',
    '--optimized',
    '--import-realm',
    '--cache=local',
  ]
}

/** It listens before it can serve: only the health check tells. */
async function isReady(managementPort: number): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${managementPort}/health/ready`, {
      signal: AbortSignal.timeout(2_000),
    })
    await answer.arrayBuffer()
    return answer.ok
  } catch {
    return false
  }
}
