import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import t from 'tap'
import { createSecrets } from '../../src/providers/secrets.ts'
import type { Received } from '../support/http-server.ts'
import { callOf, never, sampleMcp, targetOf, testMcp } from '../support/mcp.ts'
import { echo, methodsOf, said, serveMcp } from '../support/mcp-server.ts'
import { until } from '../support/until.ts'

interface Started {
  readonly args: string[]
  readonly cwd: string
  readonly env: Record<string, string>
  readonly pid: number
}

const stdio = { transport: 'stdio', command: 'sample' } as const
const isAlive = (pid: number) => existsSync(`/proc/${pid}`)

function count(methods: readonly string[], method: string): number {
  return methods.filter((one) => one === method).length
}

t.test('calls of one configuration share a connection; what differs in anything has its own', async (t) => {
  const server = await serveMcp(t)
  const mcp = testMcp(t, { allow: [server.place] })
  const target = targetOf(server)
  const call = (change = {}) => mcp.call({ ...target, ...change }, callOf('echo'), never)
  await Promise.all([call(), call()])
  await call()
  t.equal(count(methodsOf(server), 'initialize'), 1)
  const secrets = (key: string) => createSecrets(new Map([['crm', { keys: { key }, allowedHosts: [] }]]))
  const others = [
    { tenantId: 'another' },
    { id: 'another' },
    { version: 2 },
    { secrets: secrets('a') },
    { secrets: secrets('b') },
  ]
  for (const [index, change] of others.entries()) {
    await call(change)
    await call(change)
    t.equal(count(methodsOf(server), 'initialize'), index + 2, JSON.stringify(Object.keys(change)))
  }
})

t.test('two tenants with the same server: other headers, other sessions, nothing shared', async (t) => {
  const server = await serveMcp(t, {
    call: (_, { headers }) => said(`${headers['x-org']} ${headers['mcp-session-id']}`),
  })
  const mcp = testMcp(t, { allow: [server.place] })
  const orgs = ['acme', 'beta'].map((tenantId) =>
    targetOf(
      { transport: 'streamable_http', url: `${server.url}/mcp`, headers: { 'x-org': tenantId } },
      { tenantId, id: 'same' },
    ),
  )
  const answers = await Promise.all([...orgs, ...orgs].map((target) => mcp.call(target, callOf('echo'), never)))
  t.same(
    answers.map((answer) => answer.ok && String(answer.output).split(' ')[0]),
    ['acme', 'beta', 'acme', 'beta'],
  )
  t.equal(new Set(answers.map((answer) => answer.ok && answer.output)).size, 2, 'one session for each')
  const tellingApart: ((one: Received) => unknown)[] = [(one) => one.headers['mcp-session-id'], (one) => one.port]
  for (const key of tellingApart) {
    const groups = Map.groupBy(server.received, key)
    groups.delete(undefined)
    t.ok(groups.size >= 2)
    for (const group of groups.values()) t.equal(new Set(group.map((one) => one.headers['x-org'])).size, 1)
  }
})

t.test('a session that the server forgot is begun anew, and the call made once', async (t) => {
  let forgotten = 'none'
  const server = await serveMcp(t, {
    before(method, { headers }, response) {
      if (method !== 'tools/call' || headers['mcp-session-id'] !== forgotten) return false
      response.writeHead(404, { 'content-type': 'text/plain' }).end('no such session')
      return true
    },
    call: () => said('done'),
  })
  const mcp = testMcp(t, { allow: [server.place] })
  const target = targetOf(server)
  t.same(await mcp.call(target, callOf('echo'), never), { ok: true, output: 'done' })
  forgotten = 'session-1'
  t.same(await mcp.call(target, callOf('echo'), never), { ok: true, output: 'done' })
  t.equal(count(methodsOf(server), 'initialize'), 2)
  forgotten = 'session-2'
  t.same(await mcp.call(target, callOf('echo'), never), { ok: true, output: 'done' })
})

t.test(
  'a session that is not needed any more is ended, also when the server does not want to hear of it',
  async (t) => {
    const ended: unknown[] = []
    const server = await serveMcp(t, {}, ({ method, headers }) => {
      if (method === 'DELETE') ended.push(headers['mcp-session-id'])
      return method === 'DELETE'
    })
    const mcp = testMcp(t, { allow: [server.place] })
    await mcp.discover(targetOf(server), never)
    await mcp.call(targetOf(server), callOf('echo'), never)
    await mcp.close()
    t.same(ended, ['session-1', 'session-2'])
  },
)

t.test('a call carries the same key again when it is repeated', async (t) => {
  const server = await serveMcp(t, { call: ({ _meta }) => said(JSON.stringify(_meta)) })
  const mcp = testMcp(t, { allow: [server.place] })
  const answer = await mcp.call(targetOf(server), callOf('echo'), never)
  t.match(answer, { output: /"enginex\/idempotency-key":"run:1\.1"/ })
})

t.test('connections are few: the longest idle one makes room, busy ones do not', async (t) => {
  const gate = Promise.withResolvers<object>()
  const server = await serveMcp(t, { call: ({ name }) => (name === 'wait' ? gate.promise : said('')), tools: [echo] })
  const mcp = testMcp(t, { allow: [server.place] })
  const targets = Array.from({ length: 9 }, () => targetOf(server))
  const busy = targets.slice(0, 8).map((target) => mcp.call(target, callOf('wait'), never))
  await until('eight calls are under way', () => count(methodsOf(server), 'tools/call') === 8)
  await t.rejects(mcp.call(targets[8]!, callOf('echo'), never), { code: 'mcp_unavailable', message: /too many/ })
  const other = targetOf(server, { tenantId: 'another' })
  t.match(await mcp.call(other, callOf('echo'), never), { ok: true }, 'other tenants are not held up')
  gate.resolve(said('at last'))
  t.ok((await Promise.all(busy)).every(({ ok }) => ok))
  t.match(await mcp.call(targets[8]!, callOf('echo'), never), { ok: true })
})

t.test('a program has its own group, folder and environment, for one tenant', async (t) => {
  process.env['ENGINEX_TEST_SECRET'] = 'of the process'
  t.teardown(() => delete process.env['ENGINEX_TEST_SECRET'])
  const mcp = testMcp(t)
  const start = async (tenantId: string) => {
    const answer = await mcp.call(targetOf(stdio, { tenantId, id: 'same' }), callOf('whoami', { '--evil': 'x' }), never)
    return (answer as { output: Started }).output
  }
  const [acme, beta] = [await start('acme'), await start('beta')]
  t.not(acme.pid, beta.pid)
  t.not(acme.cwd, beta.cwd)
  t.same([acme.args, beta.args], [['acme'], ['beta']], 'what the operator wrote, and the tenant')
  t.same(Object.keys(acme.env).sort(), ['HOME', 'PATH'])
  t.equal(acme.env['HOME'], acme.cwd)
  t.equal((await start('acme')).pid, acme.pid, 'it is used again')
  await mcp.close()
  t.notOk(isAlive(acme.pid) || isAlive(beta.pid), 'both have ended')
  t.notOk(existsSync(acme.cwd) || existsSync(beta.cwd), 'and so have their folders')
})

t.test('a program that nobody uses ends, with what it started', async (t) => {
  const file = resolve('test/support/sample-mcp-server.ts')
  const launcher = `const { spawn } = require('node:child_process')
    const child = spawn(process.execPath, ['-e', 'setInterval(() => 0, 1000)'])
    process.argv.push('', String(child.pid)); import(${JSON.stringify(file)}); process.on('SIGTERM', () => 0)`
  const stubborn = { command: process.execPath, args: ['-e', launcher], env: {} }
  const mcp = testMcp(t, { commands: { ...sampleMcp.commands, sample: stubborn }, idleMs: 50 })
  const answer = await mcp.call(targetOf(stdio), callOf('whoami'), never)
  const { pid, args } = (answer as { output: Started }).output
  const grandchild = Number(args.at(-1))
  t.ok(isAlive(grandchild))
  await until('both have ended', () => !isAlive(pid) && !isAlive(grandchild))
  t.match(await mcp.call(targetOf(stdio), callOf('whoami'), never), { ok: true }, 'the next call starts it again')
})

t.test('a discovery leaves no connection behind, and two at once are enough for a tenant', async (t) => {
  const gate = Promise.withResolvers<void>()
  const server = await serveMcp(t, {
    before(method, _, response) {
      if (method !== 'tools/list') return false
      void gate.promise.then(() => response.writeHead(500).end())
      return true
    },
  })
  const mcp = testMcp(t, { allow: [server.place] })
  const target = targetOf(server)
  const first = [mcp.discover(target, never), mcp.discover(target, never)].map((one) =>
    one.catch((error) => error.code),
  )
  await t.rejects(mcp.discover(target, never), { code: 'too_many_requests' })
  gate.resolve()
  t.same(await Promise.all(first), ['mcp_unavailable', 'mcp_unavailable'])
  t.same(await mcp.discover(target, never).catch((error) => error.code), 'mcp_unavailable', 'then another one may')
})
