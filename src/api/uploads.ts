import { createHash, randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { MultipartFile } from '@fastify/multipart'
import type { FastifyRequest } from 'fastify'
import { AppError } from '../errors.ts'
import type { UploadedFile, UploadLimits } from '../tenancy/route.ts'
import { parseJson } from './json.ts'

export interface Upload {
  /** The JSON of the part `request`; undefined when the form has none. */
  readonly request: unknown
  readonly files: readonly UploadedFile[]
  /** Removes what was put on disk. */
  readonly discard: () => Promise<void>
}

const requestPartBytes = 1024 * 1024

/**
 * Reads a multipart/form-data request: its JSON part `request`, and its files onto this machine's disk, hashed on the
 * way and never whole in memory. Throws payload_too_large or invalid_request, and leaves nothing on disk then.
 */
export async function readUpload(request: FastifyRequest, limits: UploadLimits): Promise<Upload> {
  const announced = Number(request.headers['content-length'] ?? 0)
  if (announced > limits.maxFiles * limits.maxBytes + requestPartBytes) throw tooLarge(limits)
  const folder = await mkdtemp(join(tmpdir(), 'enginex-upload-'))
  const discard = () => rm(folder, { recursive: true, force: true })
  try {
    return { ...(await readParts(request, limits, folder)), discard }
  } catch (error) {
    await discard()
    throw error
  }
}

async function readParts(request: FastifyRequest, limits: UploadLimits, folder: string) {
  const files: UploadedFile[] = []
  let body: unknown
  const { maxBytes: fileSize, maxFiles } = limits
  const parts = request.parts({
    limits: { fileSize, files: maxFiles + 1, fields: 1, fieldSize: requestPartBytes, fieldNameSize: 64 },
  })
  for await (const part of parts) {
    const { fieldname: field } = part
    // A browser sends JSON with its type as a file, other clients as a field.
    if (field === 'request') body = part.type === 'file' ? await readRequestFile(part) : requestOf(part.value)
    else if (part.type !== 'file')
      throw new AppError(
        'invalid_request',
        `the form has an unknown field ${field}; values belong into the part request`,
      )
    else if (files.some((file) => file.field === field))
      throw new AppError('invalid_request', `the form has two parts ${field}`)
    else if (files.length === maxFiles)
      throw new AppError('invalid_request', `the form has more than ${maxFiles} files`)
    else files.push(await spool(part, limits, folder))
  }
  return { request: body, files }
}

async function readRequestFile(part: MultipartFile): Promise<unknown> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of part.file) {
    bytes += (chunk as Buffer).length
    if (bytes > requestPartBytes) throw new AppError('payload_too_large', 'the part request may hold at most 1 MB')
    chunks.push(chunk as Buffer)
  }
  return parseJson(Buffer.concat(chunks).toString(), 'the part request')
}

/** A field of type application/json comes parsed. */
function requestOf(value: unknown): unknown {
  return typeof value === 'string' ? parseJson(value, 'the part request') : value
}

async function spool(part: MultipartFile, limits: UploadLimits, folder: string): Promise<UploadedFile> {
  const path = join(folder, randomUUID())
  const hash = createHash('sha256')
  let bytes = 0
  const measure = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length
      hash.update(chunk)
      done(null, chunk)
    },
  })
  await pipeline(part.file, measure, createWriteStream(path, { flags: 'wx', mode: 0o600 }))
  if (part.file.truncated) throw tooLarge(limits)
  const { fieldname: field, filename: fileName, mimetype: mediaType } = part
  return { field, fileName, mediaType, path, bytes, sha256: hash.digest('hex') }
}

function tooLarge({ maxBytes }: UploadLimits): AppError {
  return new AppError('payload_too_large', `a file may hold at most ${Math.floor(maxBytes / 1024 / 1024)} MB`)
}
