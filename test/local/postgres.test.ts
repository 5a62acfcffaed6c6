import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import pg from 'pg'
import t, { type Test } from 'tap'
import { freePort } from '../../src/local/ports.ts'
import { startPostgres } from '../../src/local/postgres.ts'
import { confined, isRunning } from '../../src/local/process.ts'

const module = resolve(import.meta.dirname, '../../src/local/postgres.ts')

/** Not t.testdir(): the folder is closed to all but its owner, as a clone below /root is, and outlives odd owners. */
function folder(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'enginex-postgres-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  return join(directory, 'cluster')
}

async function options(directory: string) {
  const databases = [{ name: 'keycloak', password: "it's quoted" }]
  return { directory, port: await freePort(), password: 'p@ss/word', durable: false, databases }
}

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    return (await client.query(text)).rows
  } finally {
    await client.end()
  }
}

t.test('a cluster is made once and keeps its data', async (t) => {
  const directory = folder(t)
  mkdirSync(`${directory}.making/data`, { recursive: true })
  writeFileSync(`${directory}.making/data/PG_VERSION`, 'half-finished')
  const first = await startPostgres(await options(directory))
  await query(first.adminUrl, 'create table kept as select 7 as n')
  const own = new URL(first.adminUrl)
  Object.assign(own, { username: 'keycloak', password: encodeURIComponent("it's quoted"), pathname: '/keycloak' })
  t.same(await query(own.href, 'select current_user::text as me'), [{ me: 'keycloak' }])
  t.notOk(existsSync(`${directory}.making`))
  await first.stop()

  const second = await startPostgres(await options(directory))
  t.teardown(() => second.stop())
  t.same(await query(second.adminUrl, 'table kept'), [{ n: 7 }])
  await t.rejects(startPostgres({ ...(await options(folder(t))), port: second.port }), {
    message: /^Port \d+ .* in use/,
  })
})

t.test('it ends with its parent, and a start after kill -9 recovers', async (t) => {
  const directory = folder(t)
  const given = await options(directory)
  const script = `import { startPostgres } from ${JSON.stringify(module)}
    const { pid } = await startPostgres(${JSON.stringify(given)}); console.log(pid)`
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const pid = Number(await new Promise((resolve) => parent.stdout.once('data', resolve)))
  t.ok(isRunning(pid, directory))
  parent.kill('SIGKILL')

  const next = await startPostgres(given)
  t.notOk(isRunning(pid, directory), 'no two servers on one cluster')
  process.kill(next.pid, 'SIGKILL')
  await next.exited
  t.ok(existsSync(join(directory, 'postmaster.pid')), 'a pid file is left behind')
  const last = await startPostgres(given)
  t.same(await query(last.adminUrl, 'select 1 as n'), [{ n: 1 }])
  await last.stop()
})

t.test('whoever runs it passes folders that are closed to others', async (t) => {
  const closed = folder(t)
  mkdirSync(closed, { mode: 0o700 })
  writeFileSync(join(closed, 'file'), '', { mode: 0o600 })
  // As root this drops to an account that owns nothing; otherwise it stays who it is.
  const account = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : undefined
  const command = ['-c', `test "$(id -u)" = ${account?.uid ?? process.getuid?.()} && test -r ${closed}/file`]
  const [file = '', ...args] = confined({ command: 'sh', args: command, account, deathSignal: 'SIGKILL' })
  const child = spawn(file, args, { stdio: 'inherit' })
  t.equal(await new Promise((resolve) => child.once('exit', resolve)), 0)
})

t.test('a folder that is no cluster is left alone', async (t) => {
  const directory = folder(t)
  mkdirSync(directory)
  writeFileSync(join(directory, 'PG_VERSION'), '15\n')
  await t.rejects(startPostgres(await options(directory)), { message: /no cluster of PostgreSQL 18 .*15/ })
  t.equal(readFileSync(join(directory, 'PG_VERSION'), 'utf8'), '15\n')
})
