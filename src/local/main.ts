import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { inheritedEnvironment, localConfig } from '../config.ts'
import { setUpDemo } from './demo.ts'
import { demoData, demoPassword } from './demo-data.ts'
import { lockDirectory } from './lock.ts'
import { freePort } from './ports.ts'
import { send } from './process.ts'
import { consoleReporter } from './reporter.ts'
import { readSettings } from './settings.ts'
import { type Part, type Ports, startStack } from './stack.ts'

// npm start [-- --ephemeral] [--port 9000] [--directory DIR]: everything on this machine, with demonstration data.

const began = performance.now()
const parts: Part[] = []
const cleaning: (() => Promise<void> | void)[] = []
const report = consoleReporter(process.stdout)
let stopping: Promise<void> | undefined
let askedAt = 0

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    // npm hands a Ctrl-C on that has reached us already: the same one, not a second.
    if (stopping) return performance.now() - askedAt > 500 ? killAll() : undefined
    askedAt = performance.now()
    report.note('stopping; once more ends it at once')
    void stopAll().then(() => process.exit(0))
  })
}

try {
  await start()
} catch (error) {
  if (!stopping) {
    report.fail(error as Error)
    await stopAll()
    process.exitCode = 1
  }
}

async function start(): Promise<void> {
  const { values } = parseArgs({
    options: {
      ephemeral: { type: 'boolean', default: false },
      port: { type: 'string' },
      directory: { type: 'string', default: '.enginex' },
    },
  })
  const { ephemeral } = values
  const directory = ephemeral ? await mkdtemp(join(tmpdir(), 'enginex-')) : resolve(values.directory)
  if (ephemeral) cleaning.push(() => rm(directory, { recursive: true, force: true }))
  else cleaning.push(lockDirectory(directory))
  const { port, secrets } = readSettings(directory, values.port === undefined ? undefined : Number(values.port))
  const ports: Ports = ephemeral
    ? { api: await freePort(), keycloak: await freePort(), management: await freePort(), postgres: await freePort() }
    : { api: port, keycloak: port + 1, management: port + 2, postgres: port + 3 }
  const config = localConfig()
  const stack = await startStack(
    {
      directory,
      ports,
      secrets,
      durable: !ephemeral,
      config,
      environment: inheritedEnvironment(),
      demo: demoData,
      report,
    },
    parts,
  )
  const { url, keycloakUrl } = stack
  // Data of one's own matters more than the demonstration: without it, EngineX works all the same.
  await report
    .phase('demonstration', () => setUpDemo({ url, keycloakUrl, clientSecret: secrets.demoClient, data: demoData }))
    .catch((error: Error) => report.fail(error))
  report.ready(began, url, welcome(directory, keycloakUrl, ephemeral))
  for (const part of parts) void part.exited.then(() => partEnded(part, directory))
}

function welcome(directory: string, keycloakUrl: string, ephemeral: boolean): string[] {
  const names = new Map(demoData.organizations.map(({ alias, name }) => [alias, name]))
  const people = demoData.people.map(({ email, memberships, platformAdmin }) => {
    const posts = Object.entries(memberships).map(([alias, role]) => `${role} of ${names.get(alias)}`)
    return `  ${email.padEnd(24)}${platformAdmin ? 'platform-admin' : posts.join(', ')}`
  })
  return [
    `Sign in as one of these people; the password is ${demoPassword}`,
    ...people,
    `Keycloak: ${keycloakUrl} (user admin, password in ${join(directory, 'secrets.json')})`,
    ephemeral
      ? 'Ctrl-C stops all of it and removes its data.'
      : `Ctrl-C stops all of it; its data stays in ${directory}.`,
  ]
}

async function partEnded(part: Part, directory: string): Promise<void> {
  if (stopping) return
  report.fail(new Error(`${part.name} ended by itself; its log is in ${directory}. Stopping the rest.`))
  await stopAll()
  process.exit(1)
}

/** The last one started is the first one stopped: nobody loses what it still needs. */
function stopAll(): Promise<void> {
  stopping ??= (async () => {
    for (const part of parts.toReversed()) await report.phase(`stopped ${part.name}`, () => part.stop())
    for (const clean of cleaning.toReversed()) await clean()
  })()
  return stopping
}

/** Everything but PostgreSQL, which the kernel asks to shut down when we are gone: killing it would cost a recovery. */
function killAll(): void {
  for (const { name, pid } of parts) if (name !== 'PostgreSQL') send(-pid, 'SIGKILL')
  process.exit(130)
}
