import type { Input } from '../engine/machine.ts'
import type { AgentPackage } from '../engine/package.ts'
import { AppError } from '../errors.ts'
import type { LoadedRun } from '../features/runs/progress.ts'
import { maxRunSize, sizeOf } from '../features/runs/size.ts'
import { fileInputs, inputKey } from '../features/sessions/input.ts'
import { readCsv } from '../providers/csv.ts'
import type { Files } from '../providers/files.ts'

/** What the machine starts with: the session's values, and its CSV files as rows. Throws payload_too_large when that is too much. */
export async function startInput(
  files: Files,
  tenantId: string,
  { manifest }: AgentPackage,
  loaded: LoadedRun,
): Promise<Input> {
  const schemas = fileInputs(manifest.input ?? {})
  const input: Record<string, unknown> = { ...loaded.input }
  let size = 0
  for (const { name, sha256 } of loaded.files) {
    const rows = await readCsv(await files.get(inputKey(tenantId, sha256)), name, schemas.get(name) ?? {})
    for (const row of rows) size += sizeOf(JSON.stringify(row))
    if (size > maxRunSize) throw new AppError('payload_too_large', `${name}: the input is more than a run may remember`)
    input[name] = rows
  }
  return { kind: 'start', input, ...(loaded.entryPoint === null ? {} : { entryPoint: loaded.entryPoint }) }
}
