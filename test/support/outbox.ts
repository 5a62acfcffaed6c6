import { pino } from 'pino'
import { Webhook } from 'standardwebhooks'
import type { Test } from 'tap'
import type { EndpointWithSecret, NotificationType } from '../../src/features/notifications/schema.ts'
import { createEndpoint } from '../../src/features/notifications/service.ts'
import { createVault } from '../../src/providers/vault.ts'
import { createWebhookSender } from '../../src/providers/webhook-sender.ts'
import { type DeliveryOptions, startDeliveries } from '../../src/worker/deliveries.ts'
import { court } from './court.ts'
import { memberScope, type TestTenant } from './database.ts'
import { type Received, serve } from './http-server.ts'
import { until } from './until.ts'
import type { Row, Workplace } from './work.ts'

interface Told {
  readonly type: string
  readonly data: Record<string, string>
}
type Named = { readonly id: string }

/** The outbox of tenants, a server that takes their webhooks, and workers that deliver. A worker must advance runs. */
export async function outboxOf(t: Test, place: Workplace, tenants: readonly TestTenant[]) {
  const { database, doors } = place
  const answering = { status: (_path: string): number | null => 204 }
  const receiver = await serve(t, ({ url }, response) => {
    const status = answering.status(url)
    if (status !== null) response.writeHead(status, { location: '/elsewhere' }).end()
  })
  const vault = createVault({ directory: place.keysDirectory })
  const webhooks = createWebhookSender({ allow: [receiver.place] })
  const sessions = new Map<string, { sessionId: string; runId: string }>()
  for (const tenant of tenants) {
    const { person, ask } = court(place, tenant)
    sessions.set(tenant.tenantId, await ask(await person('bob', ['builder'])))
  }
  const boss = (tenant: TestTenant) => place.as(tenant, 'tenant-admin', 'notifications:write')
  return {
    answering,
    receiver,
    outside: { vault, webhooks },
    boss,
    ...rowsOf(place),
    at: (path: string) => receiver.received.filter(({ url }) => url === path),
    create: (path: string, events: NotificationType[], tenant: TestTenant): Promise<EndpointWithSecret> =>
      createEndpoint({ vault, webhooks }, boss(tenant), { url: receiver.url + path, events }),
    /** A worker of this process, until the test ends. */
    work(t: Test, change: Partial<DeliveryOptions> = {}) {
      const log = pino({ level: 'silent' })
      const settings = {
        database: place.worker,
        doors,
        vault,
        webhooks,
        sendMail: null,
        publicUrl: 'https://enginex.test',
        log,
      }
      const job = startDeliveries({ ...settings, pollMs: 20, timeoutMs: 2000, ...change })
      t.teardown(() => job.stop())
      return job
    },
    verify: ({ secret }: EndpointWithSecret, { headers, body }: Received) =>
      new Webhook(secret).verify(body, headers as Record<string, string>) as Told,
    /** Failures of the tenant's run, as its session is told of them. */
    async tell(tenant: TestTenant, count = 1): Promise<void> {
      const { sessionId, runId } = sessions.get(tenant.tenantId)!
      const data = { error: { code: 'model_refused', message: 'it said no' } }
      const events = Array.from({ length: count }, () => ({ type: 'execution_failed', nodeId: null, data }))
      const text = 'select app.append_events($1::uuid, $2::uuid, $3::jsonb)'
      const values = [sessionId, runId, JSON.stringify(events)]
      await database.write(memberScope(tenant, 'operator', 'runs:write'), { text, values })
    },
    sessionOf: (tenant: TestTenant) => sessions.get(tenant.tenantId)!,
  }
}

/** What the outbox holds for an endpoint. */
function rowsOf({ admin }: Workplace) {
  const deliveriesOf = async ({ id }: Named): Promise<Row[]> => {
    const text = 'select * from app.notification_deliveries where endpoint_id = $1 order by created_at, id'
    return (await admin.query(text, [id])).rows
  }
  return {
    deliveriesOf,
    /** Waits until an endpoint's deliveries are this many and all are through. */
    settled: (endpoint: Named, count: number) =>
      until('everything is delivered', async () => {
        const rows = await deliveriesOf(endpoint)
        return rows.length === count && rows.every((row) => row['status'] !== 'pending') ? rows : undefined
      }),
    /** Waits until an endpoint's newest delivery was tried this often, and is under way no more. */
    tried: (endpoint: Named, attempts: number) =>
      until(`attempt ${attempts}`, async () => {
        const row = (await deliveriesOf(endpoint)).at(-1)
        return row?.['attempts'] === attempts && !row['taken'] ? row : undefined
      }),
    tryNow: ({ id }: Named) =>
      admin.query('update app.notification_deliveries set due_at = now() where endpoint_id = $1', [id]),
  }
}
