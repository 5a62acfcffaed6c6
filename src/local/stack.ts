import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { LocalConfig } from '../config.ts'
import { installRoles, migrate } from '../db/migrate.ts'
import { rolePermissions } from '../tenancy/permissions.ts'
import { buildConsole } from './console.ts'
import type { DemoData } from './demo-data.ts'
import { type Keycloak, startKeycloak } from './keycloak.ts'
import { prepareKeycloak, requireJava } from './keycloak-distribution.ts'
import { requirePort } from './ports.ts'
import { type Postgres, startPostgres } from './postgres.ts'
import { type Child, type Exit, startChild, stopLeftover, until } from './process.ts'
import { realmImport } from './realm.ts'
import type { Settings } from './settings.ts'

export interface Ports {
  readonly api: number
  readonly keycloak: number
  readonly management: number
  readonly postgres: number
}

export interface StackOptions {
  /** Holds everything that must survive, and the logs. */
  readonly directory: string
  readonly ports: Ports
  readonly secrets: Settings['secrets']
  /** False for throw-away stacks: faster, and nothing survives a power cut. */
  readonly durable: boolean
  readonly config: LocalConfig
  /** What API and worker inherit besides their own configuration. */
  readonly environment: NodeJS.ProcessEnv
  readonly demo?: DemoData
  /** Adds the client enginex-test, which signs in by password. For tests only. */
  readonly testClient?: boolean
  readonly report: Reporter
}

/** Told of every phase; how it looks is its own business. */
export interface Reporter {
  phase<T>(name: string, work: () => Promise<T>): Promise<T>
  note(text: string): void
}

export interface Part {
  readonly name: string
  readonly pid: number
  readonly exited: Promise<Exit>
  stop(): Promise<void>
}

export interface Stack {
  /** Where API and console answer. */
  readonly url: string
  readonly keycloakUrl: string
  /** Connection string of PostgreSQL's superuser. */
  readonly adminUrl: string
  readonly parts: readonly Part[]
}

const root = resolve(import.meta.dirname, '../..')
const database = 'enginex'
/** What requests leave behind is collected often instead of much later: 50 MB less in an idle API. */
const youngGeneration = '--max-semi-space-size=4'

/**
 * Starts PostgreSQL, Keycloak, API and worker on 127.0.0.1 and waits until they are ready. `parts` grows as it goes, so
 * that what has been started can be stopped when a later part fails: last first.
 */
export async function startStack(options: StackOptions, parts: Part[]): Promise<Stack> {
  const { directory, ports, report } = options
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await preparePorts(options)
  // Before anything is made: what is missing on this machine is said first.
  await report.phase('Java and Keycloak', async () => {
    await requireJava()
    await prepareKeycloak(options.config.ENGINEX_CACHE, report.note)
  })
  const postgres = await report.phase('PostgreSQL', () => startDatabase(options))
  parts.push({ ...postgres, name: 'PostgreSQL' })
  const [keycloak] = await allOf([
    report.phase('Keycloak', async () => {
      const keycloak = await startIdentity(options)
      parts.push({ ...keycloak, name: 'Keycloak' })
      return keycloak
    }),
    report.phase('database', () => migrateDatabase(options, postgres.adminUrl)),
    report.phase('console', () => buildConsole(root)),
  ])
  const url = `http://127.0.0.1:${ports.api}`
  for (const start of [startApi, startWorker]) parts.push(await start(options, keycloak.url, url))
  return { url, keycloakUrl: keycloak.url, adminUrl: postgres.adminUrl, parts }
}

/** Like Promise.all, but waits for all of them before it throws: nothing starts while others are being stopped. */
async function allOf<A, B, C>(work: readonly [Promise<A>, Promise<B>, Promise<C>]): Promise<[A, B, C]> {
  await Promise.allSettled(work)
  return await Promise.all(work)
}

/** What a killed start left running goes first, then all ports are looked at before anything is changed. */
async function preparePorts({ directory, ports }: StackOptions): Promise<void> {
  for (const name of ['worker', 'api']) await stopLeftover(pidFile(directory, name), `src/${name}/main.ts`, 'SIGTERM')
  await stopLeftover(join(directory, 'keycloak/keycloak.pid'), `-Dkc.home.dir=${directory}`, 'SIGTERM')
  await stopLeftover(join(directory, 'postgres/postmaster.pid'), `-D ${directory}`, 'SIGINT')
  await requirePort(ports.api, 'EngineX')
  await requirePort(ports.keycloak, 'Keycloak')
  await requirePort(ports.management, 'the health check of Keycloak')
  await requirePort(ports.postgres, 'PostgreSQL')
}

async function startDatabase({ directory, ports, secrets, durable }: StackOptions): Promise<Postgres> {
  return await startPostgres({
    directory: join(directory, 'postgres'),
    port: ports.postgres,
    password: secrets.postgres,
    durable,
    databases: [{ name: 'keycloak', password: secrets.keycloakDatabase }],
  })
}

async function startIdentity(options: StackOptions): Promise<Keycloak> {
  const { directory, ports, secrets, config, demo, testClient, report } = options
  return await startKeycloak({
    cacheDirectory: config.ENGINEX_CACHE,
    directory: join(directory, 'keycloak'),
    port: ports.keycloak,
    managementPort: ports.management,
    database: { port: ports.postgres, name: 'keycloak', user: 'keycloak', password: secrets.keycloakDatabase },
    realm: realmImport({
      consoleOrigins: [`http://127.0.0.1:${ports.api}`],
      adminClientSecret: secrets.adminClient,
      demo,
      demoClientSecret: demo && secrets.demoClient,
      testClient,
    }),
    admin: { username: 'admin', password: secrets.keycloakAdmin },
    onProgress: report.note,
  })
}

async function migrateDatabase({ secrets, ports }: StackOptions, adminUrl: string): Promise<void> {
  const { databaseOwner: owner, databaseApi: api, databaseWorker: worker } = secrets
  await installRoles(adminUrl, { database, passwords: { owner, api, worker } })
  await migrate(databaseUrl(ports, 'enginex_owner', secrets.databaseOwner), rolePermissions())
}

function databaseUrl({ postgres }: Ports, role: string, password: string): string {
  return `postgresql://${role}:${password}@127.0.0.1:${postgres}/${database}`
}

async function startApi(options: StackOptions, keycloakUrl: string, url: string): Promise<Part> {
  const { ports, secrets, demo, testClient, report, config } = options
  const clients = [
    'enginex-console',
    'enginex-cli',
    ...(demo ? ['enginex-demo'] : []),
    ...(testClient ? ['enginex-test'] : []),
  ]
  return await report.phase('API', () =>
    startProcess(options, 'api', () => isReady(`${url}/readyz`), {
      ENGINEX_PORT: String(ports.api),
      ENGINEX_PUBLIC_URL: url,
      ENGINEX_KEYCLOAK_URL: keycloakUrl,
      ENGINEX_KEYCLOAK_ADMIN_SECRET: secrets.adminClient,
      ENGINEX_CLIENTS: clients.join(','),
      ENGINEX_CONSOLE_DIRECTORY: join(root, 'dist/console'),
      ENGINEX_EGRESS_ALLOW: config.ENGINEX_EGRESS_ALLOW,
      ...(config.ENGINEX_MODEL_NAME ? { ENGINEX_MODEL_NAME: config.ENGINEX_MODEL_NAME } : {}),
      ...(config.ENGINEX_MCP_STDIO ? { ENGINEX_MCP_STDIO: config.ENGINEX_MCP_STDIO } : {}),
    }),
  )
}

async function startWorker(options: StackOptions, _keycloakUrl: string, url: string): Promise<Part> {
  const { ENGINEX_CACHE: _, ...own } = options.config
  return await options.report.phase('worker', () =>
    startProcess(options, 'worker', (child) => child.tail().includes('the worker is ready'), {
      ...own,
      ENGINEX_PUBLIC_URL: url,
    }),
  )
}

async function startProcess(
  { directory, ports, secrets, environment, config }: StackOptions,
  name: 'api' | 'worker',
  ready: (child: Child) => Promise<boolean> | boolean,
  own: Readonly<Record<string, string>>,
): Promise<Part> {
  const child = await startChild({
    name,
    command: process.execPath,
    args: [youngGeneration, `src/${name}/main.ts`],
    cwd: root,
    env: {
      ...environment,
      // Both keep an idle process small: compiled sources instead of a compiler, and memory that goes back when freed.
      NODE_COMPILE_CACHE: resolve(root, config.ENGINEX_CACHE, 'node'),
      MALLOC_ARENA_MAX: '1',
      ENGINEX_DATABASE_URL: databaseUrl(
        ports,
        `enginex_${name}`,
        name === 'api' ? secrets.databaseApi : secrets.databaseWorker,
      ),
      ENGINEX_FILES_DIRECTORY: join(directory, 'files'),
      ENGINEX_KEYS_DIRECTORY: join(directory, 'keys'),
      ...own,
    },
    logFile: join(directory, `${name}.log`),
    pidFile: pidFile(directory, name),
    deathSignal: 'SIGTERM',
  })
  await until(child, 30_000, () => ready(child))
  return { ...child, stop: async () => void (await child.stop('SIGTERM', 15_000)) }
}

function pidFile(directory: string, name: string): string {
  return join(directory, `${name}.pid`)
}

async function isReady(address: string): Promise<boolean> {
  try {
    const answer = await fetch(address, { signal: AbortSignal.timeout(2_000) })
    await answer.arrayBuffer()
    return answer.ok
  } catch {
    return false
  }
}
