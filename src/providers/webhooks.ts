import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'

// Standard Webhooks 1.0 (symmetric, v1): https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
// In our own lines: the reference library hashes in JavaScript, turns bytes into text first, and reads the clock itself.

/** How far a message's time may be from ours, before and after. */
export const replayWindowMs = 5 * 60 * 1000
const prefix = 'whsec_'
const secretBytes = { least: 24, made: 32, most: 64 }
/** A sender that rotates its key sends two; more than this is somebody who tries. */
const mostSignatures = 8

export type WebhookHeaders = Record<'webhook-id' | 'webhook-timestamp' | 'webhook-signature', string>

/** A new signing secret, `whsec_` and 32 random bytes in base64. */
export function createWebhookSecret(): string {
  return prefix + randomBytes(secretBytes.made).toString('base64')
}

/** The headers that sign a message, once by each secret: two while one is being replaced. `id` is the same at each attempt. */
export function signWebhook(
  secrets: readonly string[],
  id: string,
  body: Uint8Array | string,
  now: Date,
): WebhookHeaders {
  if (!isMessageId(id)) throw new Error('the id of a message is 1 to 256 visible ASCII characters without a dot')
  const timestamp = String(Math.floor(now.getTime() / 1000))
  const signatures = secrets.map((secret) => `v1,${macOf(keyOf(secret), id, timestamp, body).toString('base64')}`)
  return { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signatures.join(' ') }
}

/**
 * The message's id, when one of its signatures was made by one of the secrets over these very bytes and its time is
 * within five minutes of `now`; null otherwise. Every secret is tried on every signature, whichever fits.
 */
export function verifyWebhook(
  secrets: readonly string[],
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  body: Uint8Array,
  now: Date,
): string | null {
  const [id, timestamp, signature] = ['id', 'timestamp', 'signature'].map((name) => headers[`webhook-${name}`])
  if (typeof id !== 'string' || typeof timestamp !== 'string' || typeof signature !== 'string') return null
  if (!isMessageId(id) || !/^\d{1,12}$/.test(timestamp)) return null
  const given = signature.split(' ').filter((one) => one.startsWith('v1,'))
  if (given.length > mostSignatures) return null
  let matches = 0
  for (const secret of secrets) {
    const expected = macOf(keyOf(secret), id, timestamp, body)
    for (const one of given) matches += Number(equal(expected, Buffer.from(one.slice(3), 'base64')))
  }
  const fresh = Math.abs(now.getTime() - Number(timestamp) * 1000) <= replayWindowMs
  return matches > 0 && fresh ? id : null
}

/** Without dots, so that no other id, time and body read the same once joined. */
function isMessageId(id: string): boolean {
  return /^[!-\-/-~]{1,256}$/.test(id)
}

function macOf(key: Buffer, id: string, timestamp: string, body: Uint8Array | string): Buffer {
  return createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest()
}

/** Throws for what is no secret: a configuration fault, never a message's. */
function keyOf(secret: string): Buffer {
  const key = Buffer.from(secret.startsWith(prefix) ? secret.slice(prefix.length) : '', 'base64')
  if (key.length < secretBytes.least || key.length > secretBytes.most)
    throw new Error(`a webhook secret is ${prefix} and ${secretBytes.least} to ${secretBytes.most} bytes in base64`)
  return key
}

function equal(expected: Buffer, given: Buffer): boolean {
  return given.length === expected.length && timingSafeEqual(expected, given)
}
