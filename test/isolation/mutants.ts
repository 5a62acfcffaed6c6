import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { faults } from './all-faults.ts'
import type { Fault } from './fault.ts'

// npm run prove:mutants: takes the defences away one by one, in copies of the tree, and shows that each time the test
// that was meant turns red. Goal: all caught, none for another reason, in at most half an hour. Words on the command line
// choose faults whose name holds them.

const copies = 2
const limitSeconds = 1800
const typesOnly = 'tsconfig.types.json'
const copied = ['src', 'sql', 'test', 'docs', 'keycloak', 'package.json', 'tsconfig.json', 'biome.json']

const wanted = process.argv.slice(2).join(' ')
const planted = faults.filter(({ name }) => name.includes(wanted))
const started = performance.now()
const root = mkdtempSync(join(tmpdir(), 'enginex-mutants-'))
const survived: string[] = []
try {
  const trees = Array.from({ length: copies }, (_, index) => copyTree(join(root, String(index))))
  await assertGreen(trees[0]!)
  const waiting = [...planted]
  await Promise.all(trees.map((tree) => work(tree, waiting)))
} finally {
  rmSync(root, { recursive: true, force: true })
}
const seconds = Math.round((performance.now() - started) / 1000)
const passed = survived.length === 0 && planted.length >= 1 && seconds <= limitSeconds
const caught = planted.length - survived.length
console.log(
  JSON.stringify({ prove: 'mutants', passed, planted: planted.length, caught, survived, seconds, limitSeconds }),
)
process.exit(passed ? 0 : 1)

function copyTree(tree: string): string {
  for (const name of copied) cpSync(name, join(tree, name), { recursive: true })
  symlinkSync(resolve('node_modules'), join(tree, 'node_modules'))
  // Only what test/types holds, and what that imports.
  writeFileSync(
    join(tree, typesOnly),
    JSON.stringify({ extends: './tsconfig.json', include: ['test/types', 'src/db'] }),
  )
  return tree
}

/** A test that is red already proves nothing. */
async function assertGreen(tree: string): Promise<void> {
  const files = [...new Set(planted.map(({ run }) => run))]
  const tests = files.filter((file) => file !== 'tsc')
  const outputs = [
    tests.length > 0 ? await runTests(tree, tests) : '',
    files.includes('tsc') ? await compile(tree) : '',
  ]
  if (outputs.some((output) => /^not ok|error TS/m.test(output))) {
    throw new Error(`the tests are red before anything was planted:\n${outputs.join('\n')}`)
  }
  console.log(`green before: ${files.join(', ')}`)
}

async function work(tree: string, waiting: Fault[]): Promise<void> {
  for (let fault = waiting.shift(); fault; fault = waiting.shift()) {
    const begun = performance.now()
    const undo = plant(tree, fault)
    const output = fault.run === 'tsc' ? await compile(tree) : await runTests(tree, [fault.run])
    undo()
    const red = /^not ok|error TS/m.test(output)
    const right = red && fault.says.test(output)
    if (!right) survived.push(fault.name)
    const reason = output.split('\n').find((line) => fault.says.test(line))
    const took = `${((performance.now() - begun) / 1000).toFixed(1)} s`
    console.log(`${right ? 'caught' : red ? 'RED FOR ANOTHER REASON' : 'SURVIVED'}: ${fault.name} (${took})`)
    console.log(right ? `    ${(reason ?? fault.run).trim().slice(0, 160)}` : output.slice(0, 2000))
  }
}

/** Changes the copy; what comes back undoes it. Throws when the text to change is not there exactly once. */
function plant(tree: string, { name, edits }: Fault): () => void {
  const before = new Map<string, string>()
  for (const { file, from, to } of edits) {
    const path = join(tree, file)
    const text = readFileSync(path, 'utf8')
    if (text.split(from).length !== 2) throw new Error(`"${name}" does not fit ${file} any more: adapt the fault`)
    if (!before.has(path)) before.set(path, text)
    writeFileSync(
      path,
      text.replace(from, () => to),
    )
  }
  return () => {
    for (const [path, text] of before) writeFileSync(path, text)
  }
}

function runTests(tree: string, files: readonly string[]): Promise<string> {
  return run(tree, process.execPath, ['test/run.ts', ...files])
}

function compile(tree: string): Promise<string> {
  return run(tree, join(tree, 'node_modules/.bin/tsc'), ['--noEmit', '--pretty', 'false', '-p', typesOnly])
}

function run(tree: string, command: string, args: readonly string[]): Promise<string> {
  return new Promise((done) => {
    execFile(command, args, { cwd: tree, maxBuffer: 64 * 1024 * 1024, timeout: 240_000 }, (_error, stdout, stderr) =>
      done(`${stdout}\n${stderr}`),
    )
  })
}
