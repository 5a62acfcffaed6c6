import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isRunning } from './process.ts'

/** What the command line of `npm start` holds. */
const mark = 'src/local/main.ts'

/**
 * Makes the folder this process's own, and returns the function that gives it back. Throws one line when a running
 * `npm start` has it; the lock of one that was killed is taken over.
 */
export function lockDirectory(directory: string): () => void {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const file = join(directory, 'lock')
  const owner = readOwner(file)
  if (owner !== undefined && owner !== process.pid && isRunning(owner, mark)) {
    throw new Error(
      `EngineX runs already on ${directory} (process ${owner}): use that one, stop it, or add "-- --ephemeral" for a second one.`,
    )
  }
  rmSync(file, { force: true })
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' })
  } catch (cause) {
    throw new Error(`EngineX is being started on ${directory} by somebody else at this moment.`, { cause })
  }
  return () => rmSync(file, { force: true })
}

function readOwner(file: string): number | undefined {
  try {
    return Number.parseInt(readFileSync(file, 'utf8'), 10)
  } catch {
    return undefined
  }
}
