import { readFile } from 'node:fs/promises'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { constants, createGunzip, gzip } from 'node:zlib'
import tar from 'tar-stream'
import yauzl from 'yauzl'
import { AppError } from '../errors.ts'

/** Not in this thread: what is made to be compressed slowly takes seconds. */
const compress = promisify(gzip)

export interface ArchiveLimits {
  readonly maxFiles: number
  /** Of one file, unpacked. */
  readonly maxFileBytes: number
  /** Of all files, unpacked. */
  readonly maxBytes: number
  /** Unpacked bytes for each packed one, beyond the first megabyte. */
  readonly maxRatio: number
}

const packageLimits: ArchiveLimits = {
  maxFiles: 500,
  maxFileBytes: 5 * 1024 * 1024,
  maxBytes: 50 * 1024 * 1024,
  maxRatio: 100,
}

/** For the headers and the padding of a .tar with as many files as are allowed. */
const tarOverhead = 4 * 1024 * 1024

/** Folders and files of plain names, so that a path means the same on every system. */
const nameForm = /^[A-Za-z0-9_][A-Za-z0-9 ._-]{0,99}(\/[A-Za-z0-9_][A-Za-z0-9 ._-]{0,99}){0,9}$/

/**
 * Unpacks a .zip or .tar.gz in memory; a single folder around everything is taken off. Throws package_invalid or
 * package_too_large and names the entry: unsafe or repeated names, links, devices, encryption, too many or too large
 * files, a bomb. Nothing is ever written to a disk.
 */
export async function readArchive(source: string | Buffer, limits = packageLimits): Promise<Map<string, Buffer>> {
  const packed = typeof source === 'string' ? await readFile(source) : source
  const collector = collect(packed.length, limits)
  try {
    if (packed.subarray(0, 4).equals(Buffer.from('PK\x03\x04', 'latin1'))) await readZip(packed, collector)
    else if (packed[0] === 0x1f && packed[1] === 0x8b) await readTarGz(packed, collector, limits)
    else throw invalid('the file is neither a .zip nor a .tar.gz')
  } catch (error) {
    throw error instanceof AppError ? error : invalid(`the archive is damaged: ${(error as Error).message}`)
  }
  return withoutOuterFolder(collector.files)
}

/** The same files as a .tar.gz; equal files give equal bytes, so that its hash names them. */
export async function writeArchive(files: ReadonlyMap<string, Buffer>): Promise<Buffer> {
  const pack = tar.pack()
  for (const [name, content] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) {
    pack.entry({ name, mode: 0o644, mtime: new Date(0), uid: 0, gid: 0 }, content)
  }
  pack.finalize()
  const chunks: Buffer[] = []
  for await (const chunk of pack) chunks.push(chunk as Buffer)
  const plain = Buffer.concat(chunks)
  const tight = await compress(plain, { level: constants.Z_BEST_COMPRESSION })
  // What packs too well would be taken for a bomb when it is read back.
  const packed =
    plain.length > tight.length * (packageLimits.maxRatio / 2) ? await compress(plain, { level: 0 }) : tight
  packed[9] = 255 // the header's field for the operating system differs between machines
  return packed
}

interface Collector {
  readonly files: Map<string, Buffer>
  readonly add: (name: string, content: Readable) => Promise<void>
}

function collect(packedBytes: number, limits: ArchiveLimits): Collector {
  const files = new Map<string, Buffer>()
  const taken = new Set<string>()
  let total = 0
  return {
    files,
    async add(name, content) {
      if (!nameForm.test(name))
        throw invalid('its name is not allowed: letters, digits, space, . _ - in at most ten folders', name)
      // Names that differ in case only are one file on some systems.
      if (taken.has(name.toLowerCase())) throw invalid('it stands in the archive twice', name)
      taken.add(name.toLowerCase())
      if (files.size >= limits.maxFiles) throw tooLarge(`the archive has more than ${limits.maxFiles} files`, name)
      const chunks: Buffer[] = []
      let bytes = 0
      for await (const chunk of content) {
        bytes += (chunk as Buffer).length
        total += (chunk as Buffer).length
        if (bytes > limits.maxFileBytes) throw tooLarge(`it holds more than ${limits.maxFileBytes} bytes`, name)
        if (total > limits.maxBytes)
          throw tooLarge(`the archive holds more than ${limits.maxBytes} bytes unpacked`, name)
        if (total > 1024 * 1024 && total > packedBytes * limits.maxRatio)
          throw tooLarge('it is packed too tightly to be real', name)
        chunks.push(chunk as Buffer)
      }
      files.set(name, Buffer.concat(chunks))
    },
  }
}

async function readZip(packed: Buffer, { add }: Collector): Promise<void> {
  // Names are checked here, not by the library, so that the message names them; sizes that lie are an error of its own.
  const zip = await yauzl.fromBufferPromise(packed, {
    lazyEntries: true,
    validateEntrySizes: true,
    decodeStrings: false,
  })
  for await (const entry of zip.eachEntry()) {
    const name = utf8((entry.fileName as unknown as Buffer) ?? Buffer.alloc(0))
    const kind = (entry.externalFileAttributes >>> 16) & 0o170000
    if (entry.generalPurposeBitFlag & 1) throw invalid('it is encrypted', name)
    if (kind !== 0 && kind !== 0o100000 && kind !== 0o040000)
      throw invalid('it is a link or a device, not a file', name)
    if (name.endsWith('/')) continue
    await add(name, await zip.openReadStreamPromise(entry))
  }
}

async function readTarGz(packed: Buffer, { add }: Collector, limits: ArchiveLimits): Promise<void> {
  const extract = tar.extract()
  const unpacking = pipeline(Readable.from([packed]), createGunzip(), bounded(limits.maxBytes + tarOverhead), extract)
  unpacking.catch(() => undefined)
  for await (const entry of extract) {
    const { name, type } = entry.header
    if (name.includes('\uFFFD')) throw invalid('its name is not UTF-8', name)
    if (type === 'file') await add(name.replace(/^\.\//, ''), entry as unknown as Readable)
    else if (type === 'directory') entry.resume()
    else throw invalid(`it is a ${type ?? 'thing of unknown kind'}, not a file`, name)
  }
  await unpacking
}

/** Bombs fit between the files as well: in endless padding, in folders without end. */
function bounded(maxBytes: number): Transform {
  let bytes = 0
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length
      if (bytes > maxBytes) done(tooLarge(`the archive holds more than ${maxBytes} bytes unpacked`))
      else done(null, chunk)
    },
  })
}

function utf8(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw invalid('its name is not UTF-8', bytes.toString('latin1'))
  }
}

function withoutOuterFolder(files: Map<string, Buffer>): Map<string, Buffer> {
  const outer = [...files.keys()][0]?.split('/')[0]
  if (!outer || ![...files.keys()].every((name) => name.startsWith(`${outer}/`))) return files
  return new Map([...files].map(([name, content]) => [name.slice(outer.length + 1), content]))
}

function invalid(reason: string, file?: string): AppError {
  return refusal('package_invalid', reason, file)
}

function tooLarge(reason: string, file?: string): AppError {
  return refusal('package_too_large', reason, file)
}

function refusal(code: 'package_invalid' | 'package_too_large', reason: string, file?: string): AppError {
  return new AppError(code, file ? `${file}: ${reason}` : reason, { faults: [{ ...(file ? { file } : {}), reason }] })
}
