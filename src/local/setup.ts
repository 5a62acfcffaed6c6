import { writeFile } from 'node:fs/promises'
import { type SetupConfig, setupConfig } from '../config.ts'
import { installRoles, migrate } from '../db/migrate.ts'
import { rolePermissions } from '../tenancy/permissions.ts'
import { setUpDemo } from './demo.ts'
import { demoData } from './demo-data.ts'
import { realmImport } from './realm.ts'

// Makes PostgreSQL and Keycloak ready for API and worker; compose.yaml runs it, and so can whoever operates EngineX.
//   node src/local/setup.ts database       roles, migrations, permissions; repeat it for each release
//   node src/local/setup.ts realm FILE     the file that Keycloak imports on its first start
//   node src/local/setup.ts demo           the demonstration, over the running API

const deeds: Record<string, (config: SetupConfig, file?: string) => Promise<void>> = {
  async database(config) {
    const { ENGINEX_DATABASE_NAME: database } = config
    const passwords = {
      owner: config.ENGINEX_OWNER_PASSWORD,
      api: config.ENGINEX_API_PASSWORD,
      worker: config.ENGINEX_WORKER_PASSWORD,
    }
    const url = new URL(config.ENGINEX_ADMIN_DATABASE_URL)
    await installRoles(url.href, { database, passwords })
    Object.assign(url, { pathname: `/${database}`, username: 'enginex_owner', password: passwords.owner })
    const applied = await migrate(url.href, rolePermissions())
    console.log(`${database}: ${applied.length} migrations applied`)
  },
  async realm(config, file = 'enginex-realm.json') {
    const realm = realmImport({
      consoleOrigins: [config.ENGINEX_PUBLIC_URL],
      adminClientSecret: config.ENGINEX_KEYCLOAK_ADMIN_SECRET,
      demo: config.ENGINEX_DEMO_SECRET ? demoData : undefined,
      demoClientSecret: config.ENGINEX_DEMO_SECRET,
    })
    // Keycloak reads it under another account.
    await writeFile(file, JSON.stringify(realm), { mode: 0o644 })
    console.log(`${file}: the realm ${realm.realm}`)
  },
  async demo(config) {
    if (!config.ENGINEX_DEMO_SECRET)
      throw new Error('ENGINEX_DEMO_SECRET is missing: this deployment has no demonstration.')
    await setUpDemo({
      url: config.ENGINEX_PUBLIC_URL,
      keycloakUrl: config.ENGINEX_KEYCLOAK_URL,
      clientSecret: config.ENGINEX_DEMO_SECRET,
      data: demoData,
    })
    console.log('the demonstration is ready')
  },
}

const [word = '', file] = process.argv.slice(2)
const deed = Object.hasOwn(deeds, word) ? deeds[word] : undefined
try {
  if (!deed) throw new Error(`Say one of: ${Object.keys(deeds).join(', ')}`)
  await deed(setupConfig(), file)
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}
