import type { Test } from 'tap'
import { putCredential } from '../../src/features/credentials/service.ts'
import type { ModelPut } from '../../src/features/models/schema.ts'
import { putModel } from '../../src/features/models/service.ts'
import { getUsage } from '../../src/features/runs/service.ts'
import { createModelServers } from '../../src/providers/model-servers.ts'
import { seedTenant, type TestTenant } from './database.ts'
import { type Asked, callTools, type ModelServer } from './model-server.ts'
import { tinyPackage } from './tiny-package.ts'
import { type WorkerOptions, workplace } from './work.ts'

const patience = { retryMs: [1, 1], longestMs: 1000, turnMs: 50 }

/** Two tenants with agents that ask models: `plain` for "default", `asking` for "fast". Each test begins without settings. */
export async function modelPlace(t: Test) {
  const place = await workplace(t)
  const [acme, beta] = [await seedTenant(place.doors, 'acme'), await seedTenant(place.doors, 'beta')]
  for (const tenant of [acme, beta]) {
    await place.deploy(tenant, 'asking', agentOf('asking', 'fast'))
    await place.deploy(tenant, 'plain', agentOf('plain', 'default'))
  }
  t.beforeEach(async () => {
    await place.admin.query('delete from app.model_settings; delete from app.model_rates')
    await place.admin.query('update app.tenants set model_calls_per_minute = default')
  })
  return {
    place,
    acme,
    beta,
    /** The turn that ends the node. */
    done: (asked: Asked) => callTools(asked, [{ name: 'set_output', arguments: '{"key":"doubled","value":4}' }]),
    /** Lets the tenant's purpose be served by this server, with a key that names the tenant. */
    async settle(tenant: TestTenant, purpose: string, server: ModelServer, more: Partial<ModelPut> = {}) {
      const name = `key-${purpose}`
      const keys = { key: `sk-sentinel-${tenant.alias}-${purpose}` }
      const credential = { type: 'api_key' as const, keys, allowedHosts: [server.host] }
      await putCredential(place.vault, place.as(tenant, 'tenant-admin', 'credentials:write'), name, credential)
      const servers = createModelServers({ allow: [server.host] })
      const put = { provider: 'openai_compatible' as const, model: `model-${purpose}`, baseUrl: server.baseUrl }
      const settings = { ...put, credential: { name, key: 'key' }, ...more }
      await putModel(servers, place.as(tenant, 'builder', 'models:write'), purpose, settings)
    },
    /** A worker that reaches these servers. */
    work(t: Test, servers: readonly ModelServer[], options: WorkerOptions = {}) {
      return place.work(t, { model: { allow: servers.map(({ host }) => host) }, patience, ...options })
    },
    usage: (tenant: TestTenant, runId: string) => getUsage(place.as(tenant, 'auditor', 'runs:read'), runId),
  }
}

/** An agent whose first node asks a model of this purpose. */
function agentOf(name: string, model: string) {
  const systemPrompt = 'Double the number.'
  const io = { inputKeys: ['number'], outputKeys: ['doubled'] }
  return tinyPackage({ name, first: { id: 'double', type: 'event_loop', systemPrompt, model, ...io } })
}
