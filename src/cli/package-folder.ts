import { readdir, readFile, stat } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { CliError, exitCodes } from './failure.ts'

/** What lies beside a package for other reasons. */
const ignored = new Set(['node_modules', 'sample', 'test', 'dist'])
/** As the platform takes; whoever points at their home folder hears of it before it is read. */
const mostFiles = 500
const mostBytes = 20 * 1024 * 1024

/** The files of a package by path, hidden ones and folders such as node_modules left out. Throws when it is none. */
export async function readPackageFolder(folder: string): Promise<Map<string, Buffer>> {
  const info = await stat(join(folder, 'agent.json')).catch(() => null)
  if (!info?.isFile()) {
    throw new CliError(
      exitCodes.usage,
      'no_package',
      `${folder} holds no agent.json: go to the folder of a package, or name it`,
    )
  }
  const files = new Map<string, Buffer>()
  let bytes = 0
  for await (const path of walk(folder)) {
    const content = await readFile(path)
    bytes += content.length
    if (files.size >= mostFiles || bytes > mostBytes) {
      throw new CliError(exitCodes.failed, 'package_too_large', `${folder} holds more than ${mostFiles} files or 20 MB`)
    }
    files.set(relative(folder, path).split(sep).join('/'), content)
  }
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)))
}

async function* walk(folder: string): AsyncGenerator<string> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.name.startsWith('.') || ignored.has(entry.name)) continue
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* walk(path)
    else if (entry.isFile()) yield path
  }
}
