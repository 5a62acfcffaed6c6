import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { globSync, readFileSync } from 'node:fs'
import { relative, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { startServices } from './support/services.ts'
import { readTap, type TapResult } from './support/tap-output.ts'

// npm test: the house rules, then every test file, with the services that those need.
// npm test -- test/db/enter.test.ts: these files only.

/** Who imports this talks to a real Keycloak, and so does every browser test. */
const keycloakSupport = 'support/keycloak.ts'
const filesAtOnce = 2
const fileTimeoutMs = 300_000

const named = process.argv.slice(2).map((one) => relative('.', resolve(one)))
const files = named.length > 0 ? named : globSync('test/**/*.test.ts').sort(slowestFirst)

const results: TapResult[] = []
if (named.length === 0) results.push(await runFile('test/support/check.ts', {}, 'check'))
const services = await startServices({ keycloak: files.some(needsKeycloak) })
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void services.stop().finally(() => process.exit(1)))
}
const waiting = [...files]
let keycloakInUse = false
await Promise.all(Array.from({ length: filesAtOnce }, work))
await services.stop()

const failures = results.flatMap((result) => result.failures)
for (const { name, details } of failures.slice(0, 20)) console.log(`\nnot ok: ${name}\n${details.slice(0, 2000)}`)
for (const { name } of failures.slice(20)) console.log(`not ok: ${name}`)
const passed = results.reduce((sum, result) => sum + result.passed, 0)
console.log(`${passed} passed, ${failures.length} failed`)
process.exit(failures.length > 0 ? 1 : 0)

async function work(): Promise<void> {
  for (let file = take(); file; file = take()) {
    results.push(await runFile(file, services.environment))
    if (needsKeycloak(file)) keycloakInUse = false
  }
}

/** The next file. One at a time talks to Keycloak: it refuses a person who signs in twice at once. */
function take(): string | undefined {
  const index = waiting.findIndex((file) => !keycloakInUse || !needsKeycloak(file))
  const [file] = index < 0 ? [] : waiting.splice(index, 1)
  if (file && needsKeycloak(file)) keycloakInUse = true
  return file
}

/** Runs one file in a process of its own. Dying without a failed test is a failure, and so is testing nothing. */
async function runFile(file: string, environment: Record<string, string>, name = file): Promise<TapResult> {
  const started = performance.now()
  const child = spawn(process.execPath, [file], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TAP_TIMEOUT: '120', ...environment },
    timeout: fileTimeoutMs,
    killSignal: 'SIGKILL',
  })
  const [output, errors, [code, signal]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>,
  ])
  const { passed, failures } = readTap(output)
  const told = failures.map((failure) => ({ ...failure, name: `${name} > ${failure.name}` }))
  if (told.length === 0 && (code !== 0 || passed === 0)) {
    const end = signal ?? `exit code ${code}`
    told.push({ name: `${name} > ended with ${end} and ${passed} passed`, details: `${errors}${output.slice(-4000)}` })
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1)
  console.log(`${told.length > 0 ? 'FAILED' : 'ok'} ${name}: ${passed} passed, ${told.length} failed, ${seconds} s`)
  return { passed, failures: told }
}

function needsKeycloak(file: string): boolean {
  return file.startsWith('test/e2e/') || readFileSync(file, 'utf8').includes(keycloakSupport)
}

/** Browser tests take longest, so they begin first. */
function slowestFirst(a: string, b: string): number {
  const weight = (file: string) => (file.startsWith('test/e2e/') ? 0 : needsKeycloak(file) ? 1 : 2)
  return weight(a) - weight(b) || a.localeCompare(b)
}
