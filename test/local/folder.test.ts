import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { lockDirectory } from '../../src/local/lock.ts'
import { freePort, requirePort } from '../../src/local/ports.ts'
import { isRunning, stopLeftover } from '../../src/local/process.ts'
import { readSettings } from '../../src/local/settings.ts'

/** A process that looks like another start of ours, and lives until it is told to end. */
async function stranger(t: Test, ...args: string[]): Promise<number> {
  const child = spawn(process.execPath, ['-e', 'console.log(1); setInterval(() => {}, 1e6)', ...args])
  t.teardown(() => child.kill('SIGKILL'))
  await new Promise((resolve) => child.stdout.once('data', resolve))
  return child.pid!
}

t.test('a folder belongs to one start at a time', async (t) => {
  const directory = join(t.testdir(), 'data')
  const release = lockDirectory(directory)
  t.equal(statSync(directory).mode & 0o777, 0o700)
  t.ok(existsSync(join(directory, 'lock')))
  release()
  t.notOk(existsSync(join(directory, 'lock')))

  const other = await stranger(t, 'src/local/main.ts')
  writeFileSync(join(directory, 'lock'), String(other))
  t.throws(() => lockDirectory(directory), { message: /runs already on .*data \(process \d+\)/ })
})

t.test('the lock of a killed start is taken over', async (t) => {
  const directory = t.testdir({ lock: String(2 ** 22 + 1) })
  t.doesNotThrow(lockDirectory(directory), 'nobody has this number')
  const other = await stranger(t)
  writeFileSync(join(directory, 'lock'), String(other))
  t.doesNotThrow(lockDirectory(directory), 'the number belongs to another program now')
  writeFileSync(join(directory, 'lock'), '')
  t.doesNotThrow(lockDirectory(directory), 'killed while writing it')
})

t.test('what a killed start left running is ended, and nothing else', async (t) => {
  const directory = t.testdir()
  const pidFile = join(directory, 'part.pid')
  const [ours, other] = [await stranger(t, directory), await stranger(t)]
  writeFileSync(pidFile, String(other))
  await stopLeftover(pidFile, directory, 'SIGTERM')
  t.ok(isRunning(other, 'setInterval'), 'a number that somebody else has now')
  t.notOk(existsSync(pidFile))
  writeFileSync(pidFile, String(ours))
  await stopLeftover(pidFile, directory, 'SIGTERM')
  t.notOk(isRunning(ours, directory))
  await t.resolves(stopLeftover(pidFile, directory, 'SIGTERM'), 'nothing left')
})

t.test('secrets are made once, for their owner only', async (t) => {
  const directory = t.testdir()
  const first = readSettings(directory, 9000)
  t.equal(first.port, 9000)
  t.equal(new Set(Object.values(first.secrets)).size, Object.keys(first.secrets).length)
  t.equal(statSync(join(directory, 'secrets.json')).mode & 0o777, 0o600)
  t.same(readSettings(directory), first)
  t.same(readSettings(directory, 9000), first)
  t.match(readSettings(directory, 9001), { port: 9001, secrets: first.secrets }, 'nothing is there yet')
  mkdirSync(join(directory, 'postgres'))
  t.throws(() => readSettings(directory, 9000), { message: /was made for port 9001/ })
  rmSync(join(directory, 'secrets.json'))
  t.throws(() => readSettings(directory), { message: /secrets.json is missing/ })
})

t.test('a port in use is named with what to do', async (t) => {
  const port = await freePort()
  await t.resolves(requirePort(port, 'EngineX'))
  const server = createServer()
  t.teardown(() => server.close())
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  await t.rejects(requirePort(port, 'EngineX'), { message: new RegExp(`^Port ${port} .* EngineX needs it: .*--port`) })
})
