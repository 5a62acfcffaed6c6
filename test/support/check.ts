import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { generatedFiles } from './generated-files.ts'

// npm run check: format, lint and sizes, types, floors, and whether the generated files are up to date.

interface Tool {
  readonly name: string
  readonly run: () => Promise<string>
}

const tools: Tool[] = [
  { name: 'format, lint, sizes', run: () => run('node_modules/.bin/biome', ['ci', '--colors=off', '.']) },
  { name: 'types', run: () => run('node_modules/.bin/tsc', ['--noEmit', '-p', '.']) },
  { name: 'floors and homes', run: () => run(process.execPath, ['test/architecture.test.ts']) },
  { name: 'generated files', run: staleFiles },
]

console.log('TAP version 14')
for (const [index, { name, run }] of tools.entries()) {
  const complaint = await run().catch((error: Error) => error.message)
  console.log(`${complaint ? 'not ok' : 'ok'} ${index + 1} - ${name}`)
  if (complaint) {
    console.log(`  ---\n${complaint.replace(/^/gm, '  ')}\n  ...`)
    process.exitCode = 1
  }
}
console.log(`1..${tools.length}`)

/** What the tool had to say when it was not content; nothing otherwise. */
function run(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(command, args, { maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      resolve(error ? `${stdout}\n${stderr}`.trim() || error.message : '')
    })
  })
}

async function staleFiles(): Promise<string> {
  const stale: string[] = []
  for (const [path, text] of await generatedFiles()) {
    const present = await readFile(path, 'utf8').catch(() => undefined)
    if (present !== text) stale.push(`${path} is ${present === undefined ? 'missing' : 'out of date'}`)
  }
  return stale.length > 0 ? `${stale.join('\n')}\nrun: npm run generate` : ''
}
