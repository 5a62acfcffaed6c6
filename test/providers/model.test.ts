import { LLMock } from '@copilotkit/aimock'
import t from 'tap'
import { createGuardedFetch } from '../../src/providers/http.ts'
import { callModel, type ModelProvider, type ModelRequest } from '../../src/providers/model.ts'
import { callTools, refuse, say, serveModel } from '../support/model-server.ts'

const apiKey = 'sk-sentinel-1234567890'
const providers = ['openai', 'anthropic', 'openai_compatible'] as const
const mock = new LLMock({ port: 0, host: '127.0.0.1', logLevel: 'silent' })
await mock.start()
t.teardown(() => mock.stop())
const mocked = { fetch: createGuardedFetch({ allow: [new URL(mock.url).host] }) }

function ask(content: string, more: Partial<ModelRequest> = {}): ModelRequest {
  const messages = [
    { role: 'system' as const, content: 'You review invoices.' },
    { role: 'user' as const, content },
  ]
  const bounds = { maxTokens: 100, temperature: 0, timeoutMs: 5000 }
  const server = { provider: 'openai_compatible' as const, baseUrl: `${mock.url}/v1`, apiKey, model: 'test-model' }
  return { ...server, ...bounds, messages, tools: [], ...more }
}

const guarded = (host: string) => ({ fetch: createGuardedFetch({ allow: [host] }) })

for (const provider of providers) {
  t.test(`${provider}: a question gets its text, piece by piece`, async (t) => {
    mock.onMessage('greet', { content: 'Good morning, Acme' })
    const deltas: string[] = []
    const answer = await callModel(ask('greet', { provider }), { ...mocked, onDelta: (text) => deltas.push(text) })
    t.match(answer, { ok: true, text: 'Good morning, Acme', toolCalls: [], finishReason: 'stop' })
    t.ok(answer.ok && answer.usage.inputTokens >= 0 && answer.usage.outputTokens >= 0)
    t.equal(deltas.join(''), 'Good morning, Acme')
    t.match(mock.getLastRequest(), { body: { model: 'test-model', stream: true, max_tokens: 100, temperature: 0 } })
    await callModel(ask('greet', { provider, temperature: null }), mocked)
    t.notMatch(JSON.stringify(mock.getLastRequest()!.body), '"temperature"', "the provider's own")
  })

  t.test(`${provider}: tools go out and calls of them come back; a conversation goes out in order`, async (t) => {
    const toolCalls = [{ id: 'call_1', name: 'check', arguments: '{"total":"12.50"}' }]
    mock.on({ userMessage: 'use a tool', hasToolResult: false }, { toolCalls })
    mock.on({ toolCallId: 'call_1' }, { content: 'done' })
    const inputSchema = { type: 'object', properties: { total: { type: 'string' } } }
    const tools = [{ name: 'check', description: 'Checks a total.', inputSchema }]
    const request = ask('use a tool', { provider, tools })
    t.match(await callModel(request, mocked), {
      ok: true,
      toolCalls: [{ name: 'check', arguments: { total: '12.50' } }],
      finishReason: 'tool-calls',
    })
    t.match(JSON.stringify(mock.getLastRequest()?.body), /"Checks a total\."/)
    const turn = {
      role: 'assistant' as const,
      content: 'one moment',
      toolCalls: [{ id: 'call_1', name: 'check', arguments: {} }],
    }
    const result = { role: 'tool' as const, toolCallId: 'call_1', name: 'check', content: '{"ok":true}' }
    const messages = [...request.messages, turn, result]
    t.match(await callModel({ ...request, messages }, mocked), { ok: true, text: 'done' })
  })
}

t.test('a turn that said nothing is left out of the conversation', async (t) => {
  for (const provider of providers) {
    const server = await serveModel(t, (asked) => refuse(asked, 500))
    const request = ask('hello', { provider, baseUrl: server.baseUrl })
    const nothing = { role: 'assistant' as const, content: '', toolCalls: [] }
    await callModel({ ...request, messages: [...request.messages, nothing] }, guarded(server.host))
    t.notMatch(JSON.stringify(server.asked[0]!.body.messages), 'assistant', provider)
  }
})

t.test('the key goes where its provider looks for it, with what makes a repetition count once', async (t) => {
  const keyOf: Record<ModelProvider, string> = {
    openai: 'authorization',
    openai_compatible: 'authorization',
    anthropic: 'x-api-key',
  }
  // What an operator has set for other programs must never be sent for a tenant.
  Object.assign(process.env, {
    OPENAI_API_KEY: 'env-secret',
    ANTHROPIC_API_KEY: 'env-secret',
    OPENAI_BASE_URL: 'http://127.0.0.1:1',
  })
  for (const provider of providers) {
    const server = await serveModel(t, (asked) => refuse(asked, 500))
    const request = ask('hello', { provider, baseUrl: server.baseUrl, idempotencyKey: 'run:1.1' })
    await callModel(request, guarded(server.host))
    await callModel({ ...request, apiKey: undefined, idempotencyKey: undefined }, guarded(server.host))
    const [first, second] = server.asked
    t.match(String(first!.headers[keyOf[provider]]), apiKey, provider)
    t.equal(first!.headers['idempotency-key'], 'run:1.1')
    t.notMatch(JSON.stringify(second!.headers), /env-secret|sentinel/, `${provider}, without a key`)
  }
})

t.test('a redirect is not followed: the key goes nowhere else', async (t) => {
  const other = await serveModel(t, (asked) => say(asked, 'gotcha'))
  for (const status of [301, 302, 307, 308]) {
    const server = await serveModel(t, (asked) =>
      refuse(asked, status, {}, { location: `${other.baseUrl}/chat/completions` }),
    )
    const { fetch } = { fetch: createGuardedFetch({ allow: [server.host, other.host] }) }
    for (const provider of providers) {
      const answer = await callModel(ask('hello', { provider, baseUrl: server.baseUrl }), { fetch })
      t.match(
        answer,
        { ok: false, error: { code: 'model_unknown', message: /redirects to another address/ } },
        `${provider} ${status}`,
      )
    }
  }
  t.same(other.asked, [], 'nobody else was asked')
})

t.test('what a server refuses has a code of its own, is asked once, and never repeats the key', async (t) => {
  const codes = {
    400: 'refused',
    401: 'unauthorized',
    403: 'unauthorized',
    404: 'unknown',
    408: 'timeout',
    422: 'refused',
    429: 'rate_limited',
    500: 'unavailable',
    502: 'unavailable',
    504: 'unavailable',
    529: 'unavailable',
  }
  const body = { type: 'error', error: { message: `key ${apiKey} is not good enough`, type: 'x', code: 'y' } }
  for (const [status, code] of Object.entries(codes)) {
    const server = await serveModel(t, (asked) => refuse(asked, Number(status), body))
    for (const provider of providers) {
      const result = await callModel(ask('hello', { provider, baseUrl: server.baseUrl }), guarded(server.host))
      t.match(result, { ok: false, error: { code: `model_${code}` } }, `${provider} ${status}`)
      t.notMatch(JSON.stringify(result), 'sentinel', 'no key in the message')
    }
    t.equal(server.asked.length, providers.length, 'no retry of its own')
  }
})

t.test('how long a server wants to be left alone comes back with its refusal', async (t) => {
  const date = new Date('2026-01-01T00:00:00Z')
  const later = new Date(date.getTime() + 7000)
  const waits: [Record<string, string>, number | undefined][] = [
    [{ 'retry-after': '3' }, 3000],
    [{ 'retry-after': later.toUTCString(), date: date.toUTCString() }, 7000],
    [{ 'retry-after-ms': '120', 'retry-after': '3' }, 120],
    [{ 'retry-after': 'soon' }, undefined],
    [{ 'retry-after': '-3' }, undefined],
    [{}, undefined],
  ]
  for (const [headers, wait] of waits) {
    const server = await serveModel(t, (asked) => refuse(asked, 429, {}, headers))
    const answer = await callModel(ask('hello', { baseUrl: server.baseUrl }), guarded(server.host))
    t.match(answer, { ok: false, error: { code: 'model_rate_limited' } })
    t.equal((answer as { retryAfterMs?: number }).retryAfterMs, wait, JSON.stringify(headers))
  }
})

t.test('a server that repeats the key in its answer is not believed', async (t) => {
  const pieces = ['your key is sk-sen', 'tinel-12345', '67890, or sk-sentry']
  const server = await serveModel(t, (asked, count) =>
    count === 1 ? say(asked, pieces) : callTools(asked, [{ name: 'show', arguments: `{"key":"${apiKey}"}` }]),
  )
  const deltas: string[] = []
  const request = ask('hello', { baseUrl: server.baseUrl })
  const said = await callModel(request, { ...guarded(server.host), onDelta: (text) => deltas.push(text) })
  t.match(said, { ok: true, text: 'your key is [secret], or sk-sentry' })
  t.equal(deltas.join(''), 'your key is [secret], or sk-sentry')
  for (const form of [
    apiKey.toUpperCase(),
    Buffer.from(apiKey).toString('hex'),
    Buffer.from(apiKey).toString('base64url').slice(0, -1),
  ]) {
    const heard: string[] = []
    const echoing = await serveModel(t, (asked) => say(asked, [...`it is ${form}.`]))
    const io = { ...guarded(echoing.host), onDelta: (text: string) => heard.push(text) }
    t.match(await callModel({ ...request, baseUrl: echoing.baseUrl }, io), { ok: true, text: 'it is [secret].' })
    t.equal(heard.join(''), 'it is [secret].')
  }
  const called = await callModel(request, guarded(server.host))
  t.match(called, { ok: true, toolCalls: [{ arguments: { key: '[secret]' } }] })
})
