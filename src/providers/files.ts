import { createHash, randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { AppError, notFound } from '../errors.ts'
import { flushDirectory } from './flush-directory.ts'

export interface StoredBytes {
  readonly bytes: number
  readonly sha256: string
}

/** Packages, inputs and reports, under keys `tenants/<uuid>/…`; any other key throws. */
export interface Files {
  /** Stores the bytes whole or not at all; an existing key is replaced. Throws payload_too_large past maxBytes. */
  put(key: string, source: Readable | Buffer, limits: { maxBytes: number }): Promise<StoredBytes>
  /** Throws not_found. */
  get(key: string): Promise<Readable>
  /** The same, whole in memory. */
  bytes(key: string): Promise<Buffer>
  /** Removes everything below `tenants/<uuid>/…`. */
  remove(prefix: string): Promise<void>
}

const keyForm = /^tenants\/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(\/[a-z0-9][a-z0-9._-]*)+$/

/**
 * Files in a local directory. Bytes are written beside, flushed to the disk and renamed: nobody ever reads half a file
 * under its key, not after a power cut either. (docs/decisions/0006-files.md)
 */
export function createFiles({ directory }: { directory: string }): Files {
  const root = resolve(directory)
  const incoming = join(root, 'incoming')
  return {
    async put(key, source, { maxBytes }) {
      const target = pathOf(root, key)
      await mkdir(incoming, { recursive: true, mode: 0o700 })
      await mkdir(dirname(target), { recursive: true, mode: 0o700 })
      const beside = join(incoming, randomUUID())
      const measure = measuring(maxBytes)
      try {
        await pipeline(
          source instanceof Readable ? source : Readable.from([source]),
          measure.stream,
          createWriteStream(beside, { flags: 'wx', mode: 0o600, flush: true }),
        )
        await rename(beside, target)
        await flushDirectory(dirname(target))
      } catch (error) {
        await rm(beside, { force: true })
        throw error
      }
      return measure.result()
    },
    async get(key) {
      const handle = await orNotFound(open(pathOf(root, key)))
      return handle.createReadStream()
    },
    bytes: (key) => orNotFound(readFile(pathOf(root, key))),
    async remove(prefix) {
      await rm(pathOf(root, prefix), { recursive: true, force: true })
    },
  }
}

function pathOf(root: string, key: string): string {
  if (!keyForm.test(key) || key.length > 512) throw new Error(`not a key of a tenant's files: ${key}`)
  return join(root, key)
}

async function orNotFound<T>(reading: Promise<T>): Promise<T> {
  try {
    return await reading
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw notFound('file')
    throw error
  }
}

/** Counts and hashes what passes, and breaks off past the limit. */
function measuring(maxBytes: number) {
  const hash = createHash('sha256')
  let bytes = 0
  const stream = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length
      if (bytes > maxBytes) return done(new AppError('payload_too_large', `a file may hold at most ${maxBytes} bytes`))
      hash.update(chunk)
      done(null, chunk)
    },
  })
  return { stream, result: (): StoredBytes => ({ bytes, sha256: hash.digest('hex') }) }
}
