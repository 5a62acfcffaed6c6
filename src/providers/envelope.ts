import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'

// An envelope: format (1 byte) | fingerprint of the key (8) | nonce (12) | ciphertext | tag (16), by AES-256-GCM. The
// associated data are the first 9 bytes and what the secret is about: none of it can be changed, or moved elsewhere.

export const keyBytes = 32
const format = 1
const [idBytes, nonceBytes, tagBytes] = [8, 12, 16]
const headBytes = 1 + idBytes
const cipher = 'aes-256-gcm'

/** Which key this is, without telling anything else of it. */
export function fingerprint(key: Buffer): string {
  return createHash('sha256')
    .update('enginex key fingerprint')
    .update(key)
    .digest('hex')
    .slice(0, 2 * idBytes)
}

export function encrypt(key: Buffer, about: string, content: Buffer): Buffer {
  const head = Buffer.concat([Buffer.of(format), Buffer.from(fingerprint(key), 'hex')])
  const nonce = randomBytes(nonceBytes)
  const sealing = createCipheriv(cipher, key, nonce, { authTagLength: tagBytes }).setAAD(associated(head, about))
  return Buffer.concat([head, nonce, sealing.update(content), sealing.final(), sealing.getAuthTag()])
}

/** Which key an envelope needs; undefined for what is none. */
export function keyOf(envelope: Buffer): string | undefined {
  if (envelope.length < headBytes + nonceBytes + tagBytes || envelope[0] !== format) return undefined
  return envelope.subarray(1, headBytes).toString('hex')
}

/** The content; undefined when the key is another, the envelope was changed, or it is about something else. */
export function decrypt(key: Buffer, about: string, envelope: Buffer): Buffer | undefined {
  if (keyOf(envelope) !== fingerprint(key)) return undefined
  const nonce = envelope.subarray(headBytes, headBytes + nonceBytes)
  const opening = createDecipheriv(cipher, key, nonce, { authTagLength: tagBytes })
  opening.setAAD(associated(envelope.subarray(0, headBytes), about))
  opening.setAuthTag(envelope.subarray(-tagBytes))
  try {
    return Buffer.concat([opening.update(envelope.subarray(headBytes + nonceBytes, -tagBytes)), opening.final()])
  } catch {
    return undefined
  }
}

function associated(head: Buffer, about: string): Buffer {
  return Buffer.concat([head, Buffer.from(about)])
}
