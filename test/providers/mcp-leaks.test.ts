import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import t from 'tap'
import { createSecrets } from '../../src/providers/secrets.ts'
import { never, targetOf, testMcp } from '../support/mcp.ts'
import { echo, type McpScript, serveMcp } from '../support/mcp-server.ts'
import { until } from '../support/until.ts'

t.test('a server that repeats a secret in what it lists is not believed', async (t) => {
  const keys = { key: 'sk-sentinel-1234567890' }
  const server = await serveMcp(t, {
    tools: [
      { ...echo, description: `${'x'.repeat(1990)} ${keys.key}` },
      { ...echo, name: keys.key },
      { ...echo, name: 'schema', inputSchema: { type: 'object', properties: { a: { default: keys.key } } } },
    ],
  })
  const secrets = createSecrets(new Map([['crm', { keys, allowedHosts: [server.place] }]]))
  const found = await testMcp(t, { allow: [server.place] }).discover(targetOf(server, { secrets }), never)
  t.equal(found.length, 3)
  t.notMatch(JSON.stringify(found), 'sk-senti')
  t.match(found[1], { name: '[secret]', problem: /holds a secret/ })
  t.match(found[2], { inputSchema: { properties: { a: { default: '[secret]' } } } })
})

t.test('a server that keeps its sockets open does not keep ours', async (t) => {
  const sockets = new Set<Socket>()
  const before: McpScript['before'] = (_method, _got, response) => {
    const { socket } = response as unknown as { socket: Socket & { server: Server } }
    socket.server.keepAliveTimeout = 0
    sockets.add(socket)
    response.setHeader('keep-alive', 'timeout=600')
    return false
  }
  const server = await serveMcp(t, { before })
  await testMcp(t, { allow: [server.place] }).discover(targetOf(server), never)
  t.ok(sockets.size > 0)
  await until('they are closed', () => [...sockets].every((socket) => socket.destroyed || socket.readableEnded))
})
