import t, { type Test } from 'tap'
import { freePort } from '../../src/local/ports.ts'
import { createGuardedFetch } from '../../src/providers/http.ts'
import { type HttpRequest, sendRequest } from '../../src/providers/http-client.ts'
import { createSecrets, type OpenCredential } from '../../src/providers/secrets.ts'
import { sendJson, serve } from '../support/http-server.ts'

const secret = 's3cret/+value with "quotes"'
const never = new AbortController().signal

function send(
  allow: string[],
  request: Partial<HttpRequest> & { url: string },
  {
    credential,
    signal = never,
    timeoutMs = 5000,
  }: { credential?: OpenCredential; signal?: AbortSignal; timeoutMs?: number } = {},
) {
  const secrets = createSecrets(new Map(credential ? [['crm', credential]] : []))
  const whole = { method: 'GET', query: {}, headers: {}, body: undefined, ...request }
  return sendRequest(whole, { fetch: createGuardedFetch({ allow }), secrets, signal, timeoutMs })
}

const forHost = (...allowedHosts: string[]): OpenCredential => ({ keys: { key: secret }, allowedHosts })
const place = '{{credentials.crm.key}}'

t.test('a request goes out whole, its secrets filled in at the socket, and nothing of them comes back', async (t) => {
  const server = await serve(t, (got, response) => {
    const token = String(got.headers.authorization).replace('Bearer ', '')
    const { base64, hex } = {
      base64: Buffer.from(`user:${token}`).toString('base64'),
      hex: Buffer.from(token).toString('hex'),
    }
    response.setHeader('etag', `"${token}"`)
    sendJson(response, {
      [token]: [token, encodeURIComponent(token), base64, hex, JSON.stringify(token)],
      url: got.url,
    })
  })
  const answer = await send(
    [server.place],
    {
      url: `${server.url}/x?a=1`,
      method: 'POST',
      query: { token: place },
      headers: { authorization: `Bearer ${place}`, 'x-plain': 'ä' },
      body: { deep: [{ key: place }] },
    },
    { credential: forHost(server.place) },
  )
  const [got] = server.received
  t.equal(got?.headers.authorization, `Bearer ${secret}`)
  t.equal(new URL(got!.url, server.url).searchParams.get('token'), secret)
  t.same(JSON.parse(got!.body), { deep: [{ key: secret }] })
  t.equal(got?.headers['content-type'], 'application/json')
  t.match(answer, { status: 200, headers: { etag: '"[secret]"' } })
  const told = JSON.stringify(answer)
  for (const form of [
    secret,
    's3cret',
    encodeURIComponent(secret),
    Buffer.from(secret).toString('base64').slice(2, -4),
  ]) {
    t.notOk(told.includes(form), form)
  }
  t.notMatch(told, Buffer.from(secret).toString('hex'))
})

t.test('a credential goes to its hosts alone', async (t) => {
  const server = await serve(t, (_, response) => sendJson(response, {}))
  const elsewhere = [
    [],
    ['example.com'],
    ['127.0.0.1'],
    [`127.0.0.2:${server.place.split(':')[1]}`],
    [`x${server.place}`],
  ]
  const carriers = [
    { headers: { a: place } },
    { query: { a: place } },
    { method: 'POST', body: place },
    { method: 'POST', body: { a: [place] } },
  ]
  for (const hosts of elsewhere) {
    for (const carrier of carriers) {
      const sent = send([server.place], { url: server.url, ...carrier }, { credential: forHost(...hosts) })
      await t.rejects(sent, { code: 'egress_refused', message: /credential crm may not be sent to 127.0.0.1/ })
    }
  }
  t.equal(server.received.length, 0)
})

t.test('a secret is never lost to another place by a redirect', async (t) => {
  const thief = await serve(t, (got, response) => sendJson(response, { method: got.method }))
  const server = await serve(t, ({ url }, response) => {
    const [, status, where] = url.split('?')[0]!.split('/')
    const token = new URL(url, 'http://x').searchParams.get('token')
    const to = where === 'own' ? '/end' : `${thief.url}/${where === 'leak' ? token : ''}`
    if (status === 'end') return sendJson(response, { url })
    response.writeHead(Number(status), { location: to }).end()
  })
  const options = { credential: forHost(server.place, thief.place) }
  const allow = [server.place, thief.place]
  const headers = { 'x-key': place, authorization: 'Basic literal', cookie: 'a=b', 'x-plain': 'kept' }
  await send(allow, { url: `${server.url}/307/other`, headers, method: 'POST', body: 'plain' }, options)
  t.match(thief.received[0], { method: 'POST', body: 'plain', headers: { 'x-plain': 'kept' } })
  for (const name of ['x-key', 'authorization', 'cookie']) t.notOk(name in thief.received[0]!.headers, name)
  await send(allow, { url: `${server.url}/302/other`, method: 'POST', body: { key: place } }, options)
  t.match(thief.received[1], { method: 'GET', body: '' }, 'the body is left behind')
  for (const [path, request] of [
    ['307/other', { method: 'PUT', body: { key: place } }],
    ['302/leak', { query: { token: place } }],
  ] as const) {
    const sent = send(allow, { url: `${server.url}/${path}`, ...request }, options)
    await t.rejects(sent, { code: 'egress_refused', message: /where a secret of this request may not go/ })
  }
  t.equal(thief.received.length, 2)
  await send(allow, { url: `${server.url}/308/own`, headers, method: 'POST', body: place }, options)
  t.match(
    server.received.at(-1),
    { url: '/end', body: secret, headers: { 'x-key': secret } },
    'within one place they stay',
  )
})

t.test('a credential that is not for where a redirect within the guard leads is looked at anew', async (t) => {
  const inside = await serve(t, (_, response) => response.end('inside'))
  const server = await serve(t, (_, response) => response.writeHead(302, { location: inside.url }).end())
  await t.rejects(send([server.place], { url: server.url }), { code: 'egress_refused', message: /public internet/ })
  t.equal(inside.received.length, 0)
  const loop = await serve(t, (_, response) => response.writeHead(302, { location: '/again' }).end())
  await t.rejects(send([loop.place], { url: loop.url }), { code: 'http_bad_answer', message: /redirects without end/ })
  t.equal(loop.received.length, 6)
  const odd = await serve(t, (_, response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end())
  await t.rejects(send([odd.place], { url: odd.url }), { code: 'egress_refused' })
})

const bodies: Record<string, [type: string | undefined, content: string | Buffer, body: unknown]> = {
  JSON: ['application/json', '{"a":[1]}', { a: [1] }],
  'JSON of a vendor': ['application/vnd.api+json; charset=utf-8', '[1]', [1]],
  'JSON that is none': ['application/json', '{', '{'],
  text: ['text/plain', 'é', 'é'],
  'text in an older alphabet': ['text/html; charset=iso-8859-1', Buffer.from('é', 'latin1'), 'é'],
  'text that does not say so': [undefined, 'plain', 'plain'],
  nothing: ['application/json', '', null],
}

for (const [what, [type, content, body]] of Object.entries(bodies)) {
  t.test(`answers: ${what}`, async (t) => {
    const server = await serve(t, (_, response) => {
      if (type) response.setHeader('content-type', type)
      response.writeHead(418).end(content)
    })
    t.match(await send([server.place], { url: server.url }), { status: 418, body })
  })
}

async function refused(
  t: Test,
  says: RegExp,
  headers: Record<string, string>,
  content: Buffer | string,
): Promise<void> {
  const server = await serve(t, (_, response) => response.writeHead(200, headers).end(content))
  await t.rejects(send([server.place], { url: server.url }), { code: 'http_bad_answer', message: says })
}

t.test('answers that cannot be taken in are refused in words', async (t) => {
  await refused(t, /with image\/png; only text and JSON/, { 'content-type': 'image/png' }, Buffer.from([1]))
  await refused(t, /no text/, {}, Buffer.from([0xff, 0xfe, 0]))
  await refused(t, /text\/plain/, { 'content-type': 'text/plain' }, Buffer.from([0xc3, 0x28]))
  await refused(t, /more than 1 MB/, { 'content-type': 'text/plain' }, Buffer.alloc(50 * 1024 * 1024, 'a'))
  await refused(t, /nested deeper/, { 'content-type': 'application/json' }, `${'['.repeat(5000)}${']'.repeat(5000)}`)
})

t.test('requests that are not to be sent', async (t) => {
  const server = await serve(t, (_, response) => response.end())
  const { url } = server
  const wrong: [Partial<HttpRequest> & { url: string }, string][] = [
    [{ url: 'file:///etc/passwd' }, 'input_invalid'],
    [{ url: 'nonsense' }, 'input_invalid'],
    [{ url: `${url}/${place}` }, 'input_invalid'],
    [{ url: `${url}/?a=${encodeURIComponent(place)}` }, 'input_invalid'],
    [{ url: url.replace('//', '//user:pass@') }, 'input_invalid'],
    [{ url, body: 'x' }, 'input_invalid'],
    [{ url, headers: { host: 'other' } }, 'input_invalid'],
    [{ url, headers: { 'transfer-encoding': 'chunked' } }, 'input_invalid'],
    [{ url, headers: { 'a b': 'x' } }, 'input_invalid'],
    [{ url, headers: { a: 'x\r\nb: y' } }, 'input_invalid'],
    [{ url, headers: { a: '{{credentials.crm}}' } }, 'input_invalid'],
    [{ url, headers: { a: '{{credentials.crm.other}}' } }, 'credential_missing'],
    [{ url, headers: { a: '{{credentials.none.key}}' } }, 'credential_missing'],
    [{ url, method: 'POST', body: 'x'.repeat(1024 * 1024 + 1) }, 'payload_too_large'],
  ]
  for (const [request, code] of wrong) {
    const sent = send([server.place], request, { credential: forHost(server.place) })
    await t.rejects(sent, { code }, JSON.stringify(request).slice(0, 100))
  }
  const broken = { keys: { key: 'top\r\nsecret: x' }, allowedHosts: [server.place] }
  const error = await send([server.place], { url, headers: { a: place } }, { credential: broken }).catch((one) => one)
  t.match(error, { code: 'input_invalid' })
  t.notMatch(error.message, 'secret: x', 'the value is in no message')
  t.equal(server.received.length, 0)
})

t.test('a server that never answers, one that is not there, and a caller who has enough', async (t) => {
  const server = await serve(t, () => undefined)
  await t.rejects(send([server.place], { url: server.url }, { timeoutMs: 100 }), { code: 'http_timeout' })
  const controller = new AbortController()
  const sent = send([server.place], { url: server.url }, { signal: controller.signal })
  controller.abort(new Error('enough'))
  await t.rejects(sent, /enough/)
  const slow = await serve(t, (_, response) => response.writeHead(200, { 'content-type': 'text/plain' }).write('begun'))
  await t.rejects(send([slow.place], { url: slow.url }, { timeoutMs: 200 }), { code: 'http_timeout' })
  const place = `127.0.0.1:${await freePort()}`
  const nowhere = send([place], { url: `http://${place}/` })
  await t.rejects(nowhere, { code: 'http_unreachable', message: `${place} cannot be reached (ECONNREFUSED)` })
})
