import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installRoles, migrate } from '../../src/db/migrate.ts'
import { testData } from '../../src/local/demo-data.ts'
import { startKeycloak } from '../../src/local/keycloak.ts'
import { freePort } from '../../src/local/ports.ts'
import { startPostgres } from '../../src/local/postgres.ts'
import { realmImport } from '../../src/local/realm.ts'
import { rolePermissions } from '../../src/tenancy/permissions.ts'

export const template = 'enginex_template'
export const ownerPassword = 'owner'
export const apiPassword = 'api'
export const workerPassword = 'worker'

export interface TestServices {
  /** What a test file needs to find them; see database.ts and keycloak.ts. */
  readonly environment: Readonly<Record<string, string>>
  /** Connection string of PostgreSQL's superuser. */
  readonly postgresUrl: string
  /** SIGINT cuts every connection off; SIGQUIT ends PostgreSQL as a crash does. Resolves when it answers again. */
  restartPostgres(signal: 'SIGINT' | 'SIGQUIT'): Promise<void>
  stop(): Promise<void>
}

export interface ServiceOptions {
  readonly keycloak: boolean
  /** With fsync, as in production; false when left out. */
  readonly durable?: boolean
}

/** Starts PostgreSQL with one migrated template database, and Keycloak when asked for, in a temporary folder. */
export async function startServices({ keycloak, durable = false }: ServiceOptions): Promise<TestServices> {
  const directory = await mkdtemp(join(tmpdir(), 'enginex-test-'))
  const stops: (() => Promise<void>)[] = [() => rm(directory, { recursive: true, force: true })]
  const stop = async () => {
    for (const step of stops.splice(0).reverse()) await step()
  }
  try {
    const databases = keycloak ? [{ name: 'keycloak', password: 'keycloak' }] : []
    const options = {
      directory: join(directory, 'postgres'),
      port: await freePort(),
      password: randomBytes(12).toString('hex'),
      durable,
      databases,
    }
    let postgres = await startPostgres(options)
    stops.push(() => postgres.stop())
    const restartPostgres = async (signal: 'SIGINT' | 'SIGQUIT') => {
      process.kill(postgres.pid, signal)
      await postgres.exited
      postgres = await startPostgres(options)
    }
    await makeTemplate(postgres.adminUrl)
    const environment: Record<string, string> = { ENGINEX_TEST_POSTGRES_URL: postgres.adminUrl }
    if (keycloak) {
      const started = await startIdentity(directory, postgres.port)
      stops.push(() => started.stop())
      Object.assign(environment, started.environment)
    }
    return { environment, postgresUrl: postgres.adminUrl, restartPostgres, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function makeTemplate(adminUrl: string): Promise<void> {
  await installRoles(adminUrl, {
    database: template,
    passwords: { owner: ownerPassword, api: apiPassword, worker: workerPassword },
  })
  await migrate(urlOf(adminUrl, template, 'enginex_owner', ownerPassword), rolePermissions())
}

/** The same server's address for another database and role. */
export function urlOf(adminUrl: string, database: string, user?: string, password?: string): string {
  const url = new URL(adminUrl)
  url.pathname = `/${database}`
  if (user) url.username = user
  if (password) url.password = password
  return url.href
}

async function startIdentity(directory: string, postgresPort: number) {
  const adminClientSecret = randomBytes(24).toString('hex')
  const admin = { username: 'admin', password: randomBytes(12).toString('hex') }
  const consolePort = await freePort()
  const keycloak = await startKeycloak({
    cacheDirectory: process.env.ENGINEX_CACHE ?? '.cache',
    directory: join(directory, 'keycloak'),
    port: await freePort(),
    managementPort: await freePort(),
    database: { port: postgresPort, name: 'keycloak', user: 'keycloak', password: 'keycloak' },
    realm: realmImport({
      consoleOrigins: [`http://127.0.0.1:${consolePort}`],
      adminClientSecret,
      demo: testData,
      testClient: true,
    }),
    admin,
  })
  return {
    environment: {
      ENGINEX_TEST_KEYCLOAK_URL: keycloak.url,
      ENGINEX_TEST_KEYCLOAK_SECRET: adminClientSecret,
      ENGINEX_TEST_KEYCLOAK_ADMIN: admin.username,
      ENGINEX_TEST_KEYCLOAK_PASSWORD: admin.password,
      ENGINEX_TEST_CONSOLE_PORT: String(consolePort),
    },
    stop: () => keycloak.stop(),
  }
}
