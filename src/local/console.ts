import { execFile } from 'node:child_process'
import { existsSync, globSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Builds the console into dist/console unless what is there is newer than everything it is made of. */
export async function buildConsole(root: string): Promise<void> {
  const built = join(root, 'dist/console/index.html')
  const sources = globSync(['src/console/**/*', 'src/features/*/schema.ts', 'package-lock.json'], { cwd: root })
  const newest = Math.max(...sources.map((path) => statSync(join(root, path)).mtimeMs))
  if (existsSync(built) && statSync(built).mtimeMs > newest) return
  try {
    await run(process.execPath, [join(root, 'node_modules/vite/bin/vite.js'), 'build', 'src/console'], { cwd: root })
  } catch (cause) {
    const { stderr, message } = cause as { stderr?: string; message: string }
    throw new Error(`The console could not be built:\n${stderr || message}`, { cause })
  }
}
