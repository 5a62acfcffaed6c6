import { createReadStream } from 'node:fs'
import { inputKeysOf } from '../../engine/keys.ts'
import type { Manifest } from '../../engine/schema.ts'
import { AppError, type Fault } from '../../errors.ts'
import { checkCsv } from '../../providers/csv.ts'
import type { Files } from '../../providers/files.ts'
import { checkJson } from '../../providers/json-schema.ts'
import type { UploadedFile } from '../../tenancy/route.ts'
import type { StoredFile } from '../schema.ts'

interface InputSchema {
  readonly properties?: Record<string, { contentMediaType?: string; contentSchema?: object }>
  readonly required?: readonly string[]
}

/** The input properties that come as files. */
export function fileInputs(schema: InputSchema): Map<string, object> {
  const files = Object.entries(schema.properties ?? {}).filter(([, property]) => property.contentMediaType)
  return new Map(files.map(([name, property]) => [name, property.contentSchema ?? {}]))
}

/**
 * Checks values and files against the version's input. Throws input_invalid that names every value, file and line at
 * fault. Only declared keys come in, whatever the schema leaves open: the others are written by nodes and by people who decide.
 */
export async function checkInput(manifest: Manifest, values: object, uploads: readonly UploadedFile[]): Promise<void> {
  const schema: InputSchema = manifest.input ?? {}
  const wanted = fileInputs(schema)
  const declared = new Set(inputKeysOf(manifest).filter((name) => !wanted.has(name)))
  const given = Object.entries(values)
  const faults: Fault[] = given
    .filter(([name]) => !declared.has(name))
    .map(([name]) => ({ path: `input/${name}`, reason: wanted.has(name) ? 'is a file' : 'is no input of the agent' }))
  const known = Object.fromEntries(given.filter(([name]) => declared.has(name)))
  faults.push(...checkJson(withoutFiles(schema, wanted), known, 'input'))
  for (const { field } of uploads)
    if (!wanted.has(field)) faults.push({ file: field, reason: 'the agent has no such file input' })
  for (const name of wanted.keys()) {
    if (!uploads.some(({ field }) => field === name) && schema.required?.includes(name))
      faults.push({ file: name, reason: 'this file is required' })
  }
  if (faults.length > 0) throw new AppError('input_invalid', 'the input does not fit the agent', { faults })
  for (const { field, path } of uploads) await checkCsv(createReadStream(path), field, wanted.get(field) ?? {})
}

/** Puts the files where runs read them: by their content, so that doing it again changes nothing. */
export async function storeInput(
  files: Files,
  tenantId: string,
  uploads: readonly UploadedFile[],
): Promise<StoredFile[]> {
  const stored: StoredFile[] = []
  for (const { field, path, sha256, bytes } of uploads) {
    await files.put(inputKey(tenantId, sha256), createReadStream(path), { maxBytes: bytes })
    stored.push({ name: field, mediaType: 'text/csv', bytes, sha256 })
  }
  return stored
}

export function inputKey(tenantId: string, sha256: string): string {
  return `tenants/${tenantId}/inputs/${sha256}`
}

function withoutFiles(schema: InputSchema, files: ReadonlyMap<string, object>): object {
  const properties = Object.fromEntries(Object.entries(schema.properties ?? {}).filter(([name]) => !files.has(name)))
  return { ...schema, properties, required: (schema.required ?? []).filter((name) => !files.has(name)) }
}
