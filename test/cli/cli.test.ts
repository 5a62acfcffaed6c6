import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { createStore } from '../../src/cli/store.ts'
import { testApp } from '../support/app.ts'
import { terminal } from '../support/cli.ts'
import { seedTenant } from '../support/database.ts'

const { app, doors, admin, tokenFor } = await testApp(t)
const url = await app.listen({ host: '127.0.0.1', port: 0 })
const acme = await seedTenant(doors, 'acme')
const builder = await terminal(t)
await builder.signIn(url, 'acme', await tokenFor(acme, 'builder'))
const operator = await terminal(t)
await operator.signIn(url, 'acme', await tokenFor(acme, 'operator'))
const boss = await terminal(t)
await boss.signIn(url, 'acme', await tokenFor(acme, 'tenant-admin'))

t.test('from nothing to a deployed agent', async (t) => {
  t.match(await builder.json(['init', 'greeter']), { files: ['agent.json', 'tools/greet.js', 'README.md'] })
  t.same(await builder.json(['validate', 'greeter']), { valid: true, name: 'greeter', version: '0.1.0' })
  t.match(await builder.json(['deploy', 'greeter']), { agent: 'greeter', version: '0.1.0', active: true })
  t.match(await builder.enginex(['agents']), { code: 0, out: /NAME\s+VERSION\s+STATUS.*\ngreeter\s+0\.1\.0\s+active/ })
  const again = await builder.enginex(['init', 'greeter'])
  t.match(again, { code: 2, err: /greeter exists already/ })
  t.match(await builder.enginex(['init', 'Bad_Name']), { code: 2, err: /lower-case words joined by hyphens/ })
})

t.test('a version is promoted, and another one rolled back', async (t) => {
  const file = join(builder.directory, 'greeter/agent.json')
  await writeFile(file, (await readFile(file, 'utf8')).replace('0.1.0', '0.2.0'))
  t.match(await builder.json(['deploy', 'greeter', '--no-promote']), { version: '0.2.0', active: false })
  await builder.json(['agents', 'promote', 'greeter', '0.2.0'])
  await builder.json(['agents', 'promote', 'greeter', '0.1.0'])
  t.match(await builder.json(['agents', 'versions', 'greeter']), [
    { version: '0.2.0', active: false },
    { version: '0.1.0', active: true },
  ])
})

t.test('faults are told with their places, before anything is sent', async (t) => {
  const file = join(builder.directory, 'greeter/agent.json')
  const text = await readFile(file, 'utf8')
  await writeFile(file, text.replace('"tool": "greet"', '"tool": "nobody"'))
  const { code, err } = await builder.enginex(['deploy', 'greeter'])
  await writeFile(file, text)
  t.equal(code, 1)
  t.match(err, /agent\.json \/graph\/nodes\/0\/tool: there is no tool "nobody"/)
  t.match(await builder.enginex(['validate', '.']), { code: 2, err: /holds no agent\.json/ })
})

t.test('a session is started, shown, paused and cancelled', async (t) => {
  const session = await operator.json(['run', 'greeter', '--set', 'person=Ada', '--title', 'first'])
  t.match(session, { title: 'first', input: { person: 'Ada' }, run: { status: 'queued' } })
  t.match(await operator.json(['sessions', 'pause', session.id]), { run: { status: 'paused' } })
  t.match(await operator.json(['sessions', 'resume', session.id]), { run: { status: 'queued' } })
  t.match(await operator.json(['sessions', 'cancel', session.id]), { run: { status: 'cancelled' } })
  t.match(await operator.enginex(['sessions', 'show', session.id]), { code: 0, out: /status\s+cancelled/ })
  t.match(await operator.enginex(['logs', session.id]), { code: 0, out: /session_created[\s\S]*execution_cancelled/ })
  t.match(await operator.enginex(['logs', '--follow', session.id]), { code: 5, err: /the run was cancelled/ })
  const input = JSON.stringify({ person: 'Bea' })
  t.match(await operator.json(['run', 'greeter', '--input', '-'], input), { input: { person: 'Bea' } })
  t.equal((await operator.json(['sessions', '--limit', '1'])).length, 1)
})

t.test('what the API refuses is told in its words, with an exit code of its kind', async (t) => {
  t.match(await operator.enginex(['run', 'greeter']), { code: 1, err: /input_invalid/ })
  t.match(await operator.enginex(['run', 'nobody']), { code: 4, err: /agent not found/ })
  t.match(await operator.enginex(['deploy', join(builder.directory, 'greeter')]), { code: 3, err: /agents:write/ })
  const { code, err } = await operator.enginex(['--json', 'run', 'nobody'])
  t.equal(code, 4)
  t.match(JSON.parse(err), { code: 'not_found', requestId: /./ })
  t.match(await operator.enginex(['run']), { code: 2, err: /missing required argument/ })
  t.match(await operator.enginex(['sing']), { code: 2, err: /unknown command/ })
  t.match(await operator.enginex(['run', 'greeter', '--set', 'person']), { code: 2, err: /must look like name=value/ })
})

t.test('a secret comes from standard input, and is shown nowhere', async (t) => {
  const secret = 'canary-of-the-command-line'
  const set = ['credentials', 'set', 'crm', '--host', 'api.crm.test']
  t.match(await boss.enginex(set, `${secret}\n`), { code: 0, out: /crm is stored \(version 1\)/ })
  t.match(await boss.json([...set, '--type', 'basic_auth'], JSON.stringify({ username: 'u', password: secret })), {
    version: 2,
  })
  const wrong = await boss.enginex([...set, '--type', 'custom'], secret)
  t.match(wrong, { code: 2 })
  t.notMatch(wrong.err, secret)
  t.match(await boss.enginex(['credentials']), { code: 0, out: /crm\s+basic_auth\s+api\.crm\.test/ })
  const { rows } = await admin.query(
    'select keys::text from (select to_jsonb(c) as keys from app.credentials c) all_of',
  )
  t.notMatch(JSON.stringify(rows), secret)
  t.match(await boss.enginex(['credentials', 'delete', 'crm']), { code: 0 })
})

t.test('whoever is not signed in is told how', async (t) => {
  const stranger = await terminal(t)
  t.match(await stranger.enginex(['agents']), { code: 3, err: /enginex login/ })
  t.match(await stranger.enginex(['login']), { code: 2, err: /say where/ })
  t.match(await stranger.enginex(['login', 'http://127.0.0.1:9']), { code: 1, err: /cannot be reached/ })
  t.match(await stranger.enginex(['login', `${url}/v1`]), { code: 1, err: /does not answer as EngineX does/ })
  t.match(await stranger.enginex(['logout']), { code: 0 })
})

t.test('the sign-in is for its owner’s eyes only, and a broken file is none', async (t) => {
  const { directory } = await terminal(t)
  const store = createStore(join(directory, 'deep/enginex'))
  t.equal(await store.read(), null)
  const tokens = { accessToken: 'a', refreshToken: 'r', expiresAt: new Date().toISOString() }
  await store.write({ url, issuerUrl: url, organization: null, tokens })
  t.equal((await stat(join(directory, 'deep/enginex/sign-in.json'))).mode & 0o777, 0o600)
  t.equal((await stat(join(directory, 'deep/enginex'))).mode & 0o777, 0o700)
  t.match(await store.read(), { tokens })
  await writeFile(join(directory, 'deep/enginex/sign-in.json'), '{"url":')
  t.equal(await store.read(), null)
})

t.test('what others wrote does not reach the terminal as commands', async (t) => {
  const title = 'a\u001b[2Jb\u0007c\nd'
  const session = await operator.json(['run', 'greeter', '--set', 'person=Ada', '--title', title])
  t.equal(session.title, title)
  const { out } = await operator.enginex(['sessions', '--limit', '1'])
  t.match(out, /abc d\n$/)
})

t.test('completions know every command', async (t) => {
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { code, out } = await operator.enginex(['completion', shell])
    t.equal(code, 0)
    for (const word of ['login', 'deploy', 'approvals', 'promote', '--follow']) t.match(out, word, shell)
  }
  t.match(await operator.enginex(['completion', 'tcsh']), { code: 2 })
})
