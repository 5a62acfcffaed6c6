import { randomBytes, randomUUID } from 'node:crypto'
import { link, mkdir, open, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { AppError } from '../errors.ts'
import { decrypt, encrypt, fingerprint, keyBytes } from './envelope.ts'
import { flushDirectory } from './flush-directory.ts'

/** The data keys of the tenants, each wrapped by the key-encryption key. A key-management service can stand in for it. */
export interface KeyStore {
  /** The key that the tenant's secrets are sealed with from now on; made when there is none. */
  current(tenantId: string): Promise<Buffer>
  /** The tenant's key with this fingerprint; undefined when it is not there, or no more. */
  find(tenantId: string, id: string): Promise<Buffer | undefined>
}

/** A tenant's file: its keys, the last one in use, the others for what was sealed before. */
interface KeyRing {
  readonly keys: readonly { readonly id: string; readonly wrapped: string }[]
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/**
 * Keys in a directory of their own, readable by this user alone, outside the database and its backups. Nothing is kept in
 * memory: a key that was destroyed is gone at once, in every process. Throws vault_unavailable when the store is broken.
 */
export function createKeyStore({ directory }: { directory: string }): KeyStore {
  const root = resolve(directory)
  return {
    current: (tenantId) => {
      return orBroken(async () => {
        const master = await masterKey(root)
        const found = await readRing(root, tenantId)
        if (found) return unwrap(master, tenantId, found.keys.at(-1)!)
        const key = randomBytes(keyBytes)
        const ring: KeyRing = { keys: [{ id: fingerprint(key), wrapped: wrap(master, tenantId, key) }] }
        const made = await writeOnce(root, ringPath(root, tenantId), JSON.stringify(ring))
        return made ? key : unwrap(master, tenantId, (await readRing(root, tenantId))!.keys.at(-1)!)
      })
    },
    find: (tenantId, id) => {
      return orBroken(async () => {
        const entry = (await readRing(root, tenantId))?.keys.find((one) => one.id === id)
        return entry && unwrap(await masterKey(root), tenantId, entry)
      })
    },
  }
}

/** What goes wrong with a file is the store's fault, not that of whoever asks for a key; its path is the operator's to know. */
async function orBroken<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    throw cause instanceof AppError ? cause : broken('cannot be read or written', cause)
  }
}

function ringPath(root: string, tenantId: string): string {
  if (!uuid.test(tenantId)) throw new Error('not the id of a tenant')
  return join(root, 'tenants', `${tenantId}.json`)
}

async function readRing(root: string, tenantId: string): Promise<KeyRing | undefined> {
  const text = await readIfThere(ringPath(root, tenantId))
  return text && (JSON.parse(text.toString()) as KeyRing)
}

/** The key-encryption key: made once, and never anew while there is something that another one has wrapped. */
async function masterKey(root: string): Promise<Buffer> {
  await prepare(root)
  const path = join(root, 'master.key')
  const found = await readIfThere(path)
  if (found) return whole(found)
  const isFresh = (await readdir(join(root, 'tenants'))).length === 0
  if (isFresh) await writeOnce(root, path, randomBytes(keyBytes))
  // Not fresh, and yet it may be there by now: another process made it, and a tenant's key at once.
  const made = await readIfThere(path)
  if (made) return whole(made)
  throw broken('has lost its key-encryption key (master.key) and cannot open the keys of the organizations')
}

function whole(key: Buffer): Buffer {
  if (key.length !== keyBytes) throw broken('holds a key-encryption key (master.key) that is not one')
  return key
}

async function prepare(root: string): Promise<void> {
  await mkdir(join(root, 'tenants'), { recursive: true, mode: 0o700 })
  const { mode } = await stat(root)
  if ((mode & 0o077) !== 0) throw broken('can be read by other users of its machine: it must have the mode 0700')
}

function wrap(master: Buffer, tenantId: string, key: Buffer): string {
  return encrypt(master, about(tenantId), key).toString('base64')
}

function unwrap(master: Buffer, tenantId: string, { id, wrapped }: KeyRing['keys'][number]): Buffer {
  const key = decrypt(master, about(tenantId), Buffer.from(wrapped, 'base64'))
  if (key && fingerprint(key) === id) return key
  throw broken("holds another organization's key in place of this one's, or another key-encryption key (master.key)")
}

function about(tenantId: string): string {
  return `data-key ${tenantId}`
}

/** Whole and on the disk, or not at all; of several who try at once one succeeds. @returns whether it was this one */
async function writeOnce(root: string, path: string, content: string | Buffer): Promise<boolean> {
  const beside = join(root, `${randomUUID()}.new`)
  try {
    const file = await open(beside, 'wx', 0o600)
    try {
      await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await link(beside, path) // refuses to replace, where a rename would
    await flushDirectory(join(path, '..'))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    await rm(beside, { force: true })
  }
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

function broken(what: string, cause?: unknown): AppError {
  const message = `the platform's key store ${what}; its operator has to put it right`
  return new AppError('vault_unavailable', message, { cause })
}
