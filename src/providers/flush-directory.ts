import { open } from 'node:fs/promises'

/** A file's new name is safe from a power cut only once its directory is on the disk. */
export async function flushDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
