import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { createGuardedFetch } from '../../src/providers/http.ts'
import { callModel, type ModelRequest } from '../../src/providers/model.ts'
import { type Asked, begin, callTools, chunk, event, say, serveModel } from '../support/model-server.ts'

// What a good model server never does: each has its end, its code, and lets go of the connection.
const maxBytes = 8 * 1024 * 1024

async function hostile(t: Test, answer: (asked: Asked) => unknown, more: Partial<ModelRequest> = {}) {
  const server = await serveModel(t, answer)
  const request: ModelRequest = {
    provider: 'openai_compatible',
    baseUrl: server.baseUrl,
    model: 'm',
    messages: [{ role: 'user', content: 'hello' }],
    tools: [],
    maxTokens: 100,
    temperature: 0,
    timeoutMs: 20_000,
    ...more,
  }
  const result = await callModel(request, { fetch: createGuardedFetch({ allow: [server.host], maxBytes }) })
  await server.asked[0]?.closed // the test ends by its time-out when the connection is kept
  return result
}

/** Sends this again and again, as fast as it is taken, for as long as somebody listens. */
async function forever(asked: Asked, delta: () => object): Promise<void> {
  begin(asked.response)
  while (!asked.response.destroyed) {
    if (chunk(asked.response, delta())) await new Promise(setImmediate)
    else await Promise.race([once(asked.response, 'drain'), asked.closed])
  }
}

const bad = { ok: false, error: { code: 'model_bad_answer' } }

t.test('a model that never stops', async (t) => {
  const piece = 'and so on '.repeat(100)
  const result = await hostile(t, (asked) => forever(asked, () => ({ content: piece })))
  t.match(result, { ok: false, error: { code: 'model_bad_answer', message: /longer than 1000000 characters/ } })
  const slow = await hostile(t, (asked) => forever(asked, () => ({ content: '' })), { timeoutMs: 300 })
  t.match(slow, { ok: false, error: { code: 'model_timeout', message: /within 300 ms/ } })
})

t.test('thoughts, and arguments of tools, without end', async (t) => {
  const thought = await hostile(t, (asked) => forever(asked, () => ({ reasoning_content: 'hm '.repeat(1000) })))
  t.match(thought, bad)
  const called = { index: 0, id: 'c', type: 'function', function: { name: 'x', arguments: '{"a":"' } }
  const more = { index: 0, function: { arguments: 'x'.repeat(1000) } }
  let begun = false
  const calling = await hostile(t, (asked) =>
    forever(asked, () => {
      const tool_calls = [begun ? more : called]
      begun = true
      return { tool_calls }
    }),
  )
  t.match(calling, bad, 'arguments')
  const nameless = await hostile(t, (asked) => forever(asked, () => ({ tool_calls: [more] })))
  t.match(
    nameless,
    { ok: false, error: { code: 'egress_refused', message: /larger than/ } },
    'of a tool without a name',
  )
  const calls = Array.from({ length: 200 }, () => ({ name: 'x', arguments: '{}' }))
  t.match(await hostile(t, (asked) => callTools(asked, calls)), bad, 'too many calls')
})

t.test('an answer of 50 MB', async (t) => {
  const megabyte = 'x'.repeat(1024 * 1024)
  const whole = await hostile(t, async ({ response, closed }) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('data: ')
    for (let count = 0; count < 50 && !response.destroyed; count += 1) {
      if (!response.write(megabyte)) await Promise.race([once(response, 'drain'), closed])
    }
    response.end()
  })
  t.match(whole, { ok: false, error: { code: 'egress_refused', message: /larger than/ } }, 'one event')
  const error = await hostile(t, async ({ response, closed }) => {
    response.writeHead(500, { 'content-type': 'application/json' })
    for (let count = 0; count < 50 && !response.destroyed; count += 1) {
      if (!response.write(megabyte)) await Promise.race([once(response, 'drain'), closed])
    }
    response.end()
  })
  t.match(error, { ok: false }, 'a failure')
})

t.test('no stream, a broken one, and one that is cut off', async (t) => {
  const page = (type: string) => (asked: Asked) =>
    asked.response.writeHead(200, { 'content-type': type }).end('<html><body>It works!</body></html>')
  t.match(await hostile(t, page('text/html')), bad, 'HTML')
  t.match(await hostile(t, page('text/event-stream')), bad, 'HTML that says it is a stream')
  t.match(await hostile(t, ({ response }) => response.writeHead(200).end()), bad, 'nothing')
  const broken = (data: string) => (asked: Asked) => {
    begin(asked.response)
    event(asked.response, data)
    asked.response.end()
  }
  t.match(await hostile(t, broken('{"choices":[')), bad, 'half an event')
  t.match(await hostile(t, broken('{"result":"hello"}')), bad, 'another shape')
  t.match(await hostile(t, broken('[DONE]')), bad, 'nothing said')
  t.match(await hostile(t, (asked) => say(asked, 'half', { finish: null })), bad, 'no end')
  const cut = await hostile(t, ({ response }) => {
    begin(response)
    response.write('data: {"choices":[{"index":0,"delta":{"content":"half"}}]}\n\n', () => response.destroy())
  })
  t.match(cut, { ok: false, error: { code: 'model_unavailable' } }, 'a connection that is lost')
  const failing = await hostile(t, broken('{"error":{"message":"out of memory","type":"server_error"}}'))
  t.match(failing, { ok: false, error: { code: 'model_unavailable' } }, 'an error in the middle')
  const anthropic = await hostile(t, page('text/html'), { provider: 'anthropic' })
  t.match(anthropic, bad, 'HTML in place of Anthropic')
  const openai = await hostile(t, page('text/html'), { provider: 'openai' })
  t.match(openai, bad, 'HTML in place of OpenAI')
})

t.test('arguments that are none', async (t) => {
  const deep = '['.repeat(200_000)
  for (const [what, text] of Object.entries({
    'no JSON': '{"total":',
    'a forged prototype': '{"\\u005f_proto__":{"admin":true}}',
    'nested without end': `{"a":${deep}`,
    'nested without end, and closed': `{"a":${deep}${']'.repeat(200_000)}}`,
  })) {
    t.match(await hostile(t, (asked) => callTools(asked, [{ name: 'check', arguments: text }])), bad, what)
  }
  t.match(await hostile(t, (asked) => callTools(asked, [{ name: 'check', arguments: '' }])), {
    ok: true,
    toolCalls: [{ arguments: {} }],
  })
})

t.test('tokens that nobody can count', async (t) => {
  for (const tokens of [
    [-5, 1e300],
    [1.5, 0],
    [null, undefined],
  ] as const) {
    const result = await hostile(t, (asked) => say(asked, 'hello', { tokens }))
    if (!result.ok) return t.match(result, bad)
    const { inputTokens, outputTokens } = result.usage
    for (const count of [inputTokens, outputTokens]) t.ok(Number.isInteger(count) && count >= 0 && count <= 1e9)
  }
})

t.test('silent, away, inside, and nobody who waits any more', async (t) => {
  const silent = await hostile(t, () => undefined, { timeoutMs: 50 })
  t.match(silent, { error: { code: 'model_timeout', message: 'the model did not answer within 50 ms' } })
  const nobody = createServer().listen(0, '127.0.0.1')
  await once(nobody, 'listening')
  const host = `127.0.0.1:${(nobody.address() as AddressInfo).port}`
  await new Promise((done) => nobody.close(done))
  const request = {
    provider: 'openai_compatible' as const,
    baseUrl: `http://${host}/v1`,
    model: 'm',
    messages: [],
    tools: [],
    maxTokens: 1,
    temperature: null,
    timeoutMs: 5000,
  }
  const away = await callModel(request, { fetch: createGuardedFetch({ allow: [host] }) })
  t.match(away, { error: { code: 'model_unavailable', message: /ECONNREFUSED/ } })
  t.match(await callModel(request, { fetch: createGuardedFetch() }), { error: { code: 'egress_refused' } })

  const server = await serveModel(t, (asked) => forever(asked, () => ({ content: '' })))
  const abort = new AbortController()
  const io = { fetch: createGuardedFetch({ allow: [server.host] }), signal: abort.signal }
  const asked = callModel({ ...request, baseUrl: server.baseUrl, onDelta: undefined } as ModelRequest, io)
  setImmediate(() => abort.abort(new Error('the run was cancelled')))
  await t.rejects(asked, /the run was cancelled/)
})
