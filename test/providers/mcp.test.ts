import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server'
import t, { type Test } from 'tap'
import { freePort } from '../../src/local/ports.ts'
import { serve } from '../support/http-server.ts'
import { callOf, never, npmServer, targetOf, testMcp } from '../support/mcp.ts'
import { until } from '../support/until.ts'

// Real servers from npm, over both transports.

async function everythingOverHttp(t: Test): Promise<string> {
  const port = await freePort()
  const { command, args } = npmServer('everything', 'streamableHttp')
  const child = spawn(command, args, { env: { PATH: process.env.PATH, PORT: String(port) }, stdio: 'ignore' })
  t.teardown(async () => {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  })
  await until('the server listens', () => fetch(`http://127.0.0.1:${port}/mcp`).then(Boolean, () => false))
  return `127.0.0.1:${port}`
}

for (const transport of ['stdio', 'streamable_http'] as const) {
  t.test(`server-everything over ${transport}`, async (t) => {
    const place = transport === 'streamable_http' ? await everythingOverHttp(t) : ''
    const mcp = testMcp(t, { allow: [place], commands: { everything: npmServer('everything', 'stdio') } })
    const address =
      transport === 'stdio'
        ? ({ transport, command: 'everything' } as const)
        : ({ transport, url: `http://${place}/mcp`, headers: {} } as const)
    const target = targetOf(address)
    const tools = await mcp.discover(target, never)
    t.ok(tools.length >= 10)
    t.match(
      tools.find(({ name }) => name === 'echo'),
      { inputSchema: { type: 'object' }, problem: undefined },
    )
    const call = (tool: string, given = {}) => mcp.call(target, callOf(tool, given), never)
    t.same(await call('echo', { message: 'hello' }), { ok: true, output: 'Echo: hello' })
    t.match(await call('get-sum', { a: 2, b: 3 }), { ok: true, output: /5/ })
    t.match(await call('get-structured-content', { location: 'Chicago' }), { output: { temperature: Number } })
    t.match(await call('get-tiny-image'), { output: /\[image\/png, \d+ bytes, left out\]/ })
    t.match(await call('echo', { message: 5 }), { ok: false, error: { code: 'mcp_tool_failed', message: /message/ } })
    t.match(await call('no-such-tool'), { ok: false, error: { code: 'mcp_tool_failed' } })
    const slow = callOf('trigger-long-running-operation', { duration: 60, steps: 60 }, 300)
    await t.rejects(mcp.call(target, slow, never), { code: 'mcp_timeout' })
    const controller = new AbortController()
    const aborted = mcp.call(target, { ...slow, timeoutMs: 60_000 }, controller.signal)
    controller.abort(new Error('cancelled'))
    await t.rejects(aborted, /cancelled|abort/i)
    t.same(await call('echo', { message: 'still here' }), { ok: true, output: 'Echo: still here' })
  })
}

t.test('a server of the generation of the protocol after that', async (t) => {
  const handler = createMcpHandler(
    () => {
      const server = new McpServer({ name: 'modern', version: '1.0.0' })
      server.registerTool('greet', { description: 'Greets.' }, () => ({ content: [{ type: 'text', text: 'hello' }] }))
      return server
    },
    { legacy: 'reject' },
  )
  const server = await serve(t, async ({ method, url, headers, body }, response) => {
    const given = new Headers(headers as Record<string, string>)
    const answer = await handler.fetch(new Request(`http://127.0.0.1${url}`, { method, headers: given, body }))
    response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text())
  })
  const mcp = testMcp(t, { allow: [server.place] })
  const target = targetOf(server)
  t.match(await mcp.discover(target, never), [{ name: 'greet' }])
  t.same(await mcp.call(target, callOf('greet'), never), { ok: true, output: 'hello' })
})

t.test('server-filesystem reads what the operator gave it, and nothing beside', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'enginex-mcp-test-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  await writeFile(join(folder, 'note.txt'), 'a note')
  const mcp = testMcp(t, { commands: { files: npmServer('filesystem', folder) } })
  const target = targetOf({ transport: 'stdio', command: 'files' })
  const names = (await mcp.discover(target, never)).map(({ name }) => name)
  t.ok(names.includes('read_text_file'))
  const read = (path: string) => mcp.call(target, callOf('read_text_file', { path }), never)
  t.match(JSON.stringify(await read(join(folder, 'note.txt'))), 'a note')
  t.match(await read('/etc/passwd'), { ok: false, error: { code: 'mcp_tool_failed', message: /denied/i } })
})

t.test('server-memory remembers for each tenant apart', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'enginex-mcp-test-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const memory = { ...npmServer('memory'), env: { MEMORY_FILE_PATH: join(folder, '{tenant}.jsonl') } }
  const mcp = testMcp(t, { commands: { memory } })
  const [one, other] = ['acme', 'beta'].map((tenantId) =>
    targetOf({ transport: 'stdio', command: 'memory' }, { tenantId }),
  )
  const entities = [{ name: 'ACME', entityType: 'company', observations: ['pays late'] }]
  t.match(await mcp.call(one!, callOf('create_entities', { entities }), never), { ok: true })
  t.match(JSON.stringify(await mcp.call(one!, callOf('read_graph'), never)), 'pays late')
  t.notMatch(JSON.stringify(await mcp.call(other!, callOf('read_graph'), never)), 'pays late')
  t.match(await readFile(join(folder, 'acme.jsonl'), 'utf8'), 'pays late')
})
