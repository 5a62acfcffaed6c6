import { AppError } from '../errors.ts'
import { decrypt, encrypt, keyOf } from './envelope.ts'
import { createKeyStore } from './key-store.ts'

/** Seals secrets so that the database, its backups and other tenants hold nothing of use. */
export interface Vault {
  /** `about` says what the secret is, such as `credential:<name>:<version>`: it opens as that and nothing else. */
  seal(tenantId: string, about: string, secret: string): Promise<Buffer>
  /** Throws secret_unreadable for what was sealed for another tenant, about something else, or by a key that is gone. */
  open(tenantId: string, about: string, sealed: Buffer): Promise<string>
}

export interface VaultOptions {
  /** Of the key store. */
  readonly directory: string
  /** Told when the key store is broken, with the cause: the operator's business, whoever asked. */
  readonly onFault?: (error: Error) => void
}

/** One data key per tenant, in the key store at `directory`; both throw vault_unavailable when that is broken. */
export function createVault({ directory, onFault }: VaultOptions): Vault {
  const keys = createKeyStore({ directory })
  const reporting = async <T>(key: Promise<T>): Promise<T> => {
    try {
      return await key
    } catch (error) {
      onFault?.(error as Error)
      throw error
    }
  }
  return {
    async seal(tenantId, about, secret) {
      return encrypt(await reporting(keys.current(tenantId)), associated(tenantId, about), Buffer.from(secret))
    },
    async open(tenantId, about, sealed) {
      const id = keyOf(sealed)
      if (!id) throw unreadable('it was damaged')
      const key = await reporting(keys.find(tenantId, id))
      if (!key) throw unreadable("the key that it was sealed with is not among this organization's keys")
      const secret = decrypt(key, associated(tenantId, about), sealed)
      if (!secret) throw unreadable('it was damaged, or sealed for something else')
      return secret.toString()
    },
  }
}

function associated(tenantId: string, about: string): string {
  return `secret ${tenantId} ${about}`
}

function unreadable(why: string): AppError {
  return new AppError('secret_unreadable', `a secret cannot be opened: ${why}; save it anew`)
}
