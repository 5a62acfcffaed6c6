import type { Input } from '../engine/machine.ts'
import type { AgentPackage } from '../engine/package.ts'
import type { LoadedRun } from '../features/runs/progress.ts'
import { fileInputs, inputKey } from '../features/sessions/input.ts'
import { readCsv } from '../providers/csv.ts'
import type { Files } from '../providers/files.ts'

/** What the machine starts with: the session's values, and its CSV files as rows. */
export async function startInput(
  files: Files,
  tenantId: string,
  { manifest }: AgentPackage,
  loaded: LoadedRun,
): Promise<Input> {
  const schemas = fileInputs(manifest.input ?? {})
  const input: Record<string, unknown> = { ...loaded.input }
  for (const { name, sha256 } of loaded.files) {
    input[name] = await readCsv(await files.get(inputKey(tenantId, sha256)), name, schemas.get(name) ?? {})
  }
  return { kind: 'start', input }
}
