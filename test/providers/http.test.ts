import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { createGuardedFetch } from '../../src/providers/http.ts'

const refused = { code: 'egress_refused' }

/** A server on this machine, and how often it was reached. */
async function serve(t: Pick<Test, 'teardown'>, answer: RequestListener) {
  const server = createServer((request, response) => {
    reached.count++
    answer(request, response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.closeAllConnections())
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const reached = { count: 0, port, place: `127.0.0.1:${port}` }
  return reached
}

/** Every name leads to these addresses. */
function resolving(...addresses: string[]) {
  const found = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
  return async () => found
}

t.test('inner addresses are refused in every spelling', async (t) => {
  const server = await serve(t, (_, response) => response.end('inside'))
  const { port } = server
  const hosts = [
    '127.0.0.1',
    '127.1',
    '2130706433',
    '0x7f000001',
    '0177.0.0.1',
    '127.0.0.1.',
    '[::1]',
    '[::]',
    '0.0.0.0',
    '0',
  ]
  hosts.push('[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[::127.0.0.1]', '[64:ff9b::7f00:1]', '[64:ff9b:1::7f00:1]')
  hosts.push('[2002:7f00:1::]', '[2001::1]', '[fe80::1]', '[fc00::1]', '[fd00:ec2::254]', '[ff02::1]', '[100::1]')
  hosts.push('10.0.0.1', '172.16.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1', '100.100.100.200', '192.0.0.192')
  hosts.push('168.63.129.16', '198.18.0.1', '224.0.0.1', '240.0.0.1', '255.255.255.255', '①②⑦.0.0.1')
  const fetch = createGuardedFetch()
  for (const host of hosts) await t.rejects(fetch(`http://${host}:${port}/`), refused, host)
  for (const host of ['localhost', 'LOCALHOST']) await t.rejects(fetch(`http://${host}:${port}/`), refused, host)
  t.equal(server.count, 0)
})

t.test('names that lead inside are refused, also when only one of their addresses does', async (t) => {
  const inner = ['127.0.0.1', '10.1.2.3', '169.254.169.254', '::1', '::ffff:10.0.0.1', 'fd00:ec2::254', 'fe80::1%eth0']
  for (const address of inner) {
    await t.rejects(createGuardedFetch({ lookup: resolving(address) })('http://rebind.example/'), refused, address)
    const mixed = createGuardedFetch({ lookup: resolving('93.184.216.34', address) })
    await t.rejects(mixed('https://mixed.example/'), refused, `public and ${address}`)
  }
  await t.rejects(createGuardedFetch({ lookup: resolving() })('http://nowhere.example/'), refused)
})

t.test('a name is looked up once: there is no second answer to be fooled by', async (t) => {
  let asked = 0
  const lookup = async () => {
    asked++
    return [{ address: asked === 1 ? '203.0.113.1' : '127.0.0.1', family: 4 }]
  }
  const fetch = createGuardedFetch({ lookup })
  await t.rejects(fetch('http://rebind.example:8080/'), refused)
  t.equal(asked, 1)
})

t.test('an exact exception is reached; its neighbours are not', async (t) => {
  const server = await serve(t, (request, response) => response.end(request.url))
  const other = await serve(t, (_, response) => response.end('inside'))
  const fetch = createGuardedFetch({ allow: [server.place] })
  t.equal(await (await fetch(`http://${server.place}/x?y=1`)).text(), '/x?y=1')
  t.equal(await (await fetch(new URL(`http://${server.place}/z`))).text(), '/z')
  await t.rejects(fetch(`http://${other.place}/`), refused)
  await t.rejects(fetch(`http://localhost:${server.port}/`), refused)
  await t.rejects(fetch(`http://127.0.0.2:${server.port}/`), refused)
  t.equal(other.count, 0)
})

t.test('a redirect is looked at anew', async (t) => {
  const inside = await serve(t, (_, response) => response.end('inside'))
  const targets = [
    `http://${inside.place}/`,
    'http://169.254.169.254/latest/meta-data/',
    `http://localhost:${inside.port}/`,
  ]
  for (const location of targets) {
    const hop = await serve(t, (_, response) => response.writeHead(302, { location }).end())
    await t.rejects(createGuardedFetch({ allow: [hop.place] })(`http://${hop.place}/`), refused, location)
  }
  for (const location of ['file:///etc/passwd', 'data:text/plain,inside', 'gopher://example.com/']) {
    const hop = await serve(t, (_, response) => response.writeHead(302, { location }).end())
    await t.rejects(createGuardedFetch({ allow: [hop.place] })(`http://${hop.place}/`), location)
  }
  t.equal(inside.count, 0)
})

t.test('only http and https exist', async (t) => {
  const fetch = createGuardedFetch()
  for (const address of [
    'file:///etc/passwd',
    'data:text/plain,x',
    'blob:x',
    'ftp://example.com/',
    'no address',
    '/x',
    '',
  ]) {
    await t.rejects(fetch(address), refused, address)
  }
  await t.rejects(fetch(new Request('http://127.0.0.1/')), refused)
})

t.test('requests go out whole, and answers come back bounded', async (t) => {
  const server = await serve(t, async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    if (request.url === '/bomb') {
      response.setHeader('content-encoding', 'gzip')
      return response.end(gzipSync(Buffer.alloc(20 * 1024 * 1024)))
    }
    response
      .writeHead(201, { 'x-method': request.method, 'x-token': request.headers.authorization })
      .end(Buffer.concat(chunks))
  })
  const fetch = createGuardedFetch({ allow: [server.place], maxBytes: 1024 * 1024 })
  const answer = await fetch(`http://${server.place}/`, {
    method: 'POST',
    body: 'é',
    headers: { authorization: 'Bearer x' },
  })
  t.match([answer.status, answer.headers.get('x-method'), answer.headers.get('x-token')], [201, 'POST', 'Bearer x'])
  t.equal(await answer.text(), 'é')
  const bomb = await fetch(`http://${server.place}/bomb`)
  await t.rejects(bomb.text(), refused)
  await t.rejects(fetch(`http://${server.place}/`, { signal: AbortSignal.abort(new Error('enough')) }), /enough/)
})

t.test('a connection serves one request, unless all of them are of one tenant', async (t) => {
  const server = await serve(t, (request, response) => response.end(String(request.socket.remotePort)))
  const portsOf = async (fetch: typeof globalThis.fetch) => {
    const ports = new Set<string>()
    for (let count = 0; count < 6; count++) ports.add(await (await fetch(`http://${server.place}/`)).text())
    return ports.size
  }
  t.equal(await portsOf(createGuardedFetch({ allow: [server.place] })), 6)
  t.ok((await portsOf(createGuardedFetch({ allow: [server.place], keepAlive: true }))) < 6)
})

t.test('a server that is not there is no refusal', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const place = `127.0.0.1:${(server.address() as AddressInfo).port}`
  await new Promise((done) => server.close(done))
  await t.rejects(createGuardedFetch({ allow: [place] })(`http://${place}/`), { cause: { code: 'ECONNREFUSED' } })
})
