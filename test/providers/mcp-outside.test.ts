import t from 'tap'
import type { McpCommand } from '../../src/providers/mcp-commands.ts'
import { createSecrets } from '../../src/providers/secrets.ts'
import { callOf, never, targetOf, testMcp } from '../support/mcp.ts'
import { serveMcp } from '../support/mcp-server.ts'

// What goes out to an MCP server, and programs that are none.

t.test('secrets go to their host alone and come back from nowhere', async (t) => {
  const server = await serveMcp(t, {
    call: (_, { headers }) => ({ content: [], structuredContent: { [`k ${headers['x-key']}`]: [headers['x-key']] } }),
  })
  const mcp = testMcp(t, { allow: [server.place] })
  const secretsFor = (...allowedHosts: string[]) =>
    createSecrets(new Map([['crm', { keys: { key: 'the secret key' }, allowedHosts }]]))
  const headers = { 'x-key': '{{credentials.crm.key}}' }
  const address = { transport: 'streamable_http', url: `${server.url}/mcp`, headers } as const
  const mine = targetOf(address, { secrets: secretsFor(server.place) })
  t.same(await mcp.call(mine, callOf('echo'), never), { ok: true, output: { 'k [secret]': ['[secret]'] } })
  t.ok(server.received.every((got) => got.headers['x-key'] === 'the secret key'))
  const before = server.received.length
  const other = targetOf(address, { secrets: secretsFor('example.com') })
  await t.rejects(mcp.call(other, callOf('echo'), never), { code: 'egress_refused' })
  t.equal(server.received.length, before)
})

const script = (text: string): McpCommand => ({ command: process.execPath, args: ['-e', text], env: {} })

const programs: Record<string, [McpCommand, RegExp]> = {
  'that does not exist': [{ command: '/no/such/program', args: [], env: {} }, /cannot be reached \(ENOENT\)/],
  'that ends at once': [script('process.exit(3)'), /connection ended/],
  'that says nothing': [script('setInterval(() => 0, 1000)'), /did not answer/],
  'that writes noise': [script('for (let i = 0; i < 500; i++) console.log(JSON.stringify({ i }))'), /no MCP/],
  'that never ends a line': [
    script(`process.stdout.write('x'.repeat(9e6)); setInterval(() => 0, 1000)`),
    /more than 4 MB/,
  ],
}

for (const [what, [command, says]] of Object.entries(programs)) {
  t.test(`a program ${what}`, async (t) => {
    const mcp = testMcp(t, { commands: { bad: command } })
    const target = targetOf(
      { transport: 'stdio', command: 'bad' },
      { timeoutMs: what === 'that says nothing' ? 300 : 20_000 },
    )
    await t.rejects(mcp.discover(target, never), { code: /^mcp_/, message: says })
  })
}

t.test('a program that the operator does not allow is none', async (t) => {
  const mcp = testMcp(t)
  for (const command of ['sh', '__proto__', 'constructor', '']) {
    const target = targetOf({ transport: 'stdio', command })
    await t.rejects(mcp.discover(target, never), { code: 'mcp_unavailable', message: /operator allows no program/ })
  }
})
