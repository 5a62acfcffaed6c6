import type { Logger } from 'pino'
import type { Database } from '../db/database.ts'
import type { Doors, TakenDelivery } from '../db/doors.ts'
import { AppError } from '../errors.ts'
import { loadDelivery, type Outcome, type Outgoing, recordOutcome } from '../features/notifications/outbox.ts'
import { aboutSecret } from '../features/notifications/service.ts'
import type { SendMail } from '../providers/mail.ts'
import type { Vault } from '../providers/vault.ts'
import type { WebhookSender } from '../providers/webhook-sender.ts'
import { signWebhook } from '../providers/webhooks.ts'
import { TenantContext } from '../tenancy/context.ts'
import { mailOf, messageOf } from './notices.ts'
import { type Job, startJob } from './repeat.ts'

export interface DeliveryOptions {
  readonly database: Database
  readonly doors: Pick<Doors, 'takeDeliveries'>
  readonly vault: Vault
  readonly webhooks: WebhookSender
  /** Null where the operator has named no mail server. */
  readonly sendMail: SendMail | null
  /** Where the console is, for links; without it messages have none. */
  readonly publicUrl: string | undefined
  readonly pollMs: number
  /** How long one attempt may take. */
  readonly timeoutMs: number
  readonly log: Pick<Logger, 'warn' | 'info'>
}

/** Under way at once in this process, and of one tenant in all of them: whoever is slow holds up only themselves. */
const atOnce = 16
const ofOneTenant = 4
/** Much longer than an attempt may take: whoever holds a delivery for longer is gone. */
const leaseMs = 60_000

/** Delivers what is in the outbox, each at least once; any number of workers may. What is cut off is tried again by the next. */
export function startDeliveries(options: DeliveryOptions): Job {
  const underWay = new Set<Promise<void>>()
  const stopping = new AbortController()
  const work = async () => {
    const free = atOnce - underWay.size
    if (free <= 0) return
    for (const taken of await options.doors.takeDeliveries(free, ofOneTenant, leaseMs)) {
      const delivery = deliver(options, taken, stopping.signal)
        .catch((err) => options.log.warn({ err, deliveryId: taken.deliveryId }, 'a delivery is left to be tried again'))
        .finally(() => {
          underWay.delete(delivery)
          job.look()
        })
      underWay.add(delivery)
    }
  }
  const job = startJob({ name: 'the outbox', pollMs: options.pollMs, log: options.log, work })
  return {
    look: job.look,
    async stop() {
      stopping.abort()
      await job.stop()
      await Promise.all(underWay)
    },
  }
}

async function deliver(options: DeliveryOptions, taken: TakenDelivery, stopping: AbortSignal): Promise<void> {
  const { tenantId, deliveryId: id, attempt } = taken
  const tenant = TenantContext.openSystem(options.database, tenantId, 'notifications')
  const outgoing = await loadDelivery(tenant, id, attempt)
  if (!outgoing || stopping.aborted) return
  const signal = AbortSignal.any([stopping, AbortSignal.timeout(options.timeoutMs)])
  const outcome = await (outgoing.endpoint ? post : mail)(options, taken, outgoing, signal).catch(failureOf)
  if (stopping.aborted && !outcome.ok) return
  await recordOutcome(tenant, { id, attempt, endpointId: outgoing.endpoint?.id ?? null }, outcome)
}

async function post(
  { vault, webhooks, publicUrl }: DeliveryOptions,
  { tenantId, alias, deliveryId }: TakenDelivery,
  outgoing: Outgoing,
  signal: AbortSignal,
): Promise<Outcome> {
  const { url, enabled, secretId, secret } = outgoing.endpoint!
  if (!enabled && outgoing.type !== 'endpoint.test')
    return { ok: false, status: null, error: 'the endpoint is disabled', final: true }
  const key = await vault.open(tenantId, aboutSecret(secretId), secret)
  const body = JSON.stringify(messageOf(outgoing, { alias, publicUrl }))
  const signed = signWebhook([key], `msg_${deliveryId}`, body, new Date())
  const headers = { 'content-type': 'application/json', 'user-agent': 'EngineX', ...signed }
  const status = await webhooks.post(url, headers, body, signal)
  if (status >= 200 && status < 300) return { ok: true, status }
  return { ok: false, status, error: `answered ${status}`, ...(status === 410 ? { gone: true } : {}) }
}

async function mail(
  { sendMail, publicUrl }: DeliveryOptions,
  { alias, deliveryId }: TakenDelivery,
  outgoing: Outgoing,
  signal: AbortSignal,
): Promise<Outcome> {
  if (!sendMail) return { ok: false, status: null, error: 'this deployment sends no mail', final: true }
  const to = outgoing.mailbox
  if (!to)
    return { ok: false, status: null, error: 'the member has left, has no address, or wants no mail', final: true }
  signal.throwIfAborted()
  const sent = sendMail({ id: deliveryId, to, ...mailOf(outgoing, { alias, publicUrl }) })
  await Promise.race([sent, aborted(signal)])
  return { ok: true, status: null }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

/** In our words, or by a code: what a stranger's server says stays there. */
function failureOf(error: unknown): Outcome {
  if (error instanceof AppError) return { ok: false, status: null, error: `${error.code}: ${error.message}` }
  const { name, code, cause, responseCode } = error as {
    name?: string
    code?: unknown
    cause?: { code?: unknown }
    responseCode?: unknown
  }
  if (name === 'TimeoutError') return { ok: false, status: null, error: 'no answer in time' }
  const reason = responseCode ?? code ?? cause?.code ?? 'unknown'
  return { ok: false, status: null, error: `could not be reached: ${String(reason).slice(0, 60)}` }
}
