import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { buildApp } from '../../src/api/app.ts'
import { packageSchema } from '../../src/engine/schema.ts'
import { routes } from '../../src/features/index.ts'
import { grants, roles } from '../../src/tenancy/permissions.ts'
import type { Route } from '../../src/tenancy/route.ts'
import { eventsDocument, eventsSchema } from './events.ts'
import { printSchema } from './schema-sql.ts'
import { ownerPassword, startServices, template, urlOf } from './services.ts'

/** Every generated file as it should be now: path -> text. Starts a PostgreSQL of its own and migrates it. */
export async function generatedFiles(): Promise<Map<string, string>> {
  const services = await startServices({ keycloak: false })
  try {
    const url = urlOf(services.postgresUrl, template, 'enginex_owner', ownerPassword)
    const all = routes({} as never)
    return new Map([
      ['src/db/generated.ts', await tableTypes(url)],
      ['sql/schema.sql', await printSchema(url)],
      ['docs/openapi.json', json(await openApi(all))],
      ['docs/agent-package.schema.json', json(packageSchema)],
      ['docs/events.schema.json', json(eventsSchema())],
      ['docs/EVENTS.md', eventsDocument()],
      ['test/snapshots/permissions.txt', permissionTable(all)],
    ])
  } finally {
    await services.stop()
  }
}

async function tableTypes(url: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'enginex-types-'))
  try {
    const file = join(folder, 'generated.ts')
    const options = ['--dialect', 'postgres', '--include-pattern', 'app.*', '--default-schema', 'app']
    await promisify(execFile)('node_modules/.bin/kysely-codegen', [...options, '--url', url, '--out-file', file])
    return await readFile(file, 'utf8')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The document depends on the routes' schemas only, so nothing behind them is needed. */
async function openApi(all: readonly Route[]): Promise<unknown> {
  const nothing = {} as never
  const app = await buildApp({
    routes: all,
    database: nothing,
    notifications: nothing,
    doors: nothing,
    vault: nothing,
    tokens: nothing,
    admission: nothing,
    health: nothing,
    issuer: 'http://127.0.0.1',
    console: { directory: 'no-console', keycloakUrl: 'http://127.0.0.1', realm: 'enginex' },
    logger: false,
    now: () => 0,
  })
  await app.ready()
  const document = app.swagger()
  await app.close()
  return document
}

/** Who may call what: one line for each route. */
export function permissionTable(all: readonly Route[]): string {
  const lines = all.map((route) => {
    const [needs, holders] =
      route.kind === 'tenant'
        ? [route.permission, roles.filter((role) => grants([role], route.permission)).join(' ')]
        : route.kind === 'platform'
          ? ['(realm role)', 'platform-admin']
          : ['(any token)', 'everyone']
    return `${route.method.padEnd(7)}${`/v1${route.path}`.padEnd(58)}${needs.padEnd(18)}${holders}`
  })
  return `${lines.sort((a, b) => a.slice(7).localeCompare(b.slice(7)) || a.localeCompare(b)).join('\n')}\n`
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`
}
