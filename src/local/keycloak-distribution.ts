import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { confined, isRunning } from './process.ts'

const run = promisify(execFile)
const pom = resolve(import.meta.dirname, '../../keycloak/pom.xml')

/** Options that Keycloak fixes at build time; compose.yaml names the same ones. */
export const buildOptions = ['--db=postgres', '--health-enabled=true']

/** The JVM of a small machine: quick to start, a bounded heap. Also used for the build. */
export const javaOptions = [
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-Xms256m',
  '-Xmx384m',
  '-XX:MaxMetaspaceSize=256m',
]

/** Fails with one line that says what to install when Java 17 or newer is not there; gives its exact version. */
export async function requireJava(): Promise<string> {
  const { stderr } = await runTool(
    'java',
    ['-version'],
    'Java 17 or newer is needed for Keycloak: install it (Debian: apt-get install openjdk-17-jre-headless).',
  )
  const version = /version "([^"]+)"/.exec(stderr)?.[1] ?? 'unknown'
  if (!(Number.parseInt(version, 10) >= 17)) {
    throw new Error(
      `Keycloak needs Java 17 or newer, and "java" is ${version}: install a newer one and put it first on PATH.`,
    )
  }
  return version
}

/**
 * The folder of a Keycloak that was fetched and built; made when the cache has none. Work happens under another name
 * and is renamed when complete, so a killed fetch or build is simply done again, and two processes may try at once.
 */
export async function prepareKeycloak(
  cacheDirectory: string,
  onProgress: (what: string) => void = () => undefined,
): Promise<string> {
  const version = /<keycloak.version>(.+)</.exec(readFileSync(pom, 'utf8'))?.[1]
  const name = `keycloak-${version}`
  const cache = resolve(cacheDirectory)
  const finished = join(cache, `${name}-built`)
  if (existsSync(finished)) return finished

  await mkdir(cache, { recursive: true })
  await removeAbandoned(cache, `${name}.making-`)
  const work = join(cache, `${name}.making-${process.pid}`)
  await rm(work, { recursive: true, force: true })
  onProgress(`fetching Keycloak ${version} through Maven (180 MB), once`)
  await fetchDistribution(work)
  onProgress(`building Keycloak ${version}, once`)
  await build(join(work, name))
  await rename(join(work, name), finished).catch((cause) => {
    // Another process was quicker; its result is as good.
    if (!existsSync(finished)) throw cause
  })
  await rm(work, { recursive: true, force: true })
  return finished
}

/** Removes what processes that are gone left half-finished under `prefix` + their process id. */
export async function removeAbandoned(cache: string, prefix: string) {
  for (const entry of await readdir(cache)) {
    if (!entry.startsWith(prefix)) continue
    if (!isRunning(Number(entry.slice(prefix.length)), 'node'))
      await rm(join(cache, entry), { recursive: true, force: true })
  }
}

async function fetchDistribution(work: string) {
  const args = ['-q', '-B', '-f', pom, 'generate-resources', `-DoutputDirectory=${work}`]
  const missing = 'Maven is needed to fetch Keycloak: install it (Debian: apt-get install maven).'
  await runTool('mvn', args, missing, 'Keycloak could not be fetched through Maven; check the network and start again')
}

async function build(home: string) {
  const args = [`JAVA_OPTS=${javaOptions.join(' ')}`, join(home, 'bin/kc.sh'), 'build', ...buildOptions]
  await runTool('env', args, 'The command "env" is missing.', 'Keycloak could not be built; start again')
}

/** Runs to its end, or ends with us: a build that went on alone would write into what the next start clears away. */
async function runTool(command: string, args: readonly string[], whenMissing: string, whenFailed = whenMissing) {
  const [file = '', ...rest] = confined({ command, args, deathSignal: 'SIGTERM' })
  try {
    return await run(file, rest, { maxBuffer: 64 * 1024 * 1024 })
  } catch (cause) {
    const { code, stdout, stderr } = cause as { code: unknown; stdout?: string; stderr?: string }
    // 127: setpriv found no such command.
    if (code === 'ENOENT' || code === 127) throw new Error(whenMissing, { cause })
    throw new Error(`${whenFailed}:\n${`${stdout}\n${stderr}`.trim().split('\n').slice(-15).join('\n')}`, { cause })
  }
}
