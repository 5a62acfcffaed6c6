import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { LLMock } from '@copilotkit/aimock'
import t, { type Test } from 'tap'
import { createGuardedFetch } from '../../src/providers/http.ts'
import { callModel, type ModelRequest } from '../../src/providers/model.ts'

const apiKey = 'sk-sentinel-1234567890'
const mock = new LLMock({ port: 0, host: '127.0.0.1', logLevel: 'silent' })
await mock.start()
t.teardown(() => mock.stop())
const baseUrl = `${mock.url}/v1`
const guarded = createGuardedFetch({ allow: [new URL(mock.url).host] })

function ask(content: string, more: Partial<ModelRequest> = {}): ModelRequest {
  const messages = [
    { role: 'system' as const, content: 'You review invoices.' },
    { role: 'user' as const, content },
  ]
  return {
    provider: 'openai_compatible',
    baseUrl,
    apiKey,
    model: 'test-model',
    messages,
    tools: [],
    maxTokens: 100,
    temperature: 0,
    timeoutMs: 5000,
    ...more,
  }
}

/** A model server of our own, for what a good one never does. */
async function serve(t: Pick<Test, 'teardown'>, answer: RequestListener) {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.closeAllConnections())
  t.teardown(() => server.close())
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const io = { fetch: createGuardedFetch({ allow: [host] }) }
  return { io, request: (more?: Partial<ModelRequest>) => ask('hello', { baseUrl: `http://${host}/v1`, ...more }) }
}

function completion(message: object, finish_reason = 'stop'): string {
  const usage = { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 }
  return JSON.stringify({
    id: 'x',
    object: 'chat.completion',
    created: 0,
    model: 'm',
    choices: [{ index: 0, message, finish_reason }],
    usage,
  })
}

function answering(body: string, status = 200): RequestListener {
  return (_, response) => response.writeHead(status, { 'content-type': 'application/json' }).end(body)
}

t.test('a question gets its text, whole or piece by piece', async (t) => {
  mock.onMessage('greet', { content: 'Good morning, Acme' })
  const whole = await callModel(ask('greet'), { fetch: guarded })
  t.match(whole, { ok: true, text: 'Good morning, Acme', toolCalls: [], finishReason: 'stop' })
  t.ok(whole.ok && whole.usage.inputTokens >= 0 && whole.usage.outputTokens >= 0)
  const deltas: string[] = []
  const streamed = await callModel(ask('greet'), { fetch: guarded, onDelta: (text) => deltas.push(text) })
  t.match(streamed, { ok: true, text: 'Good morning, Acme', finishReason: 'stop' })
  t.equal(deltas.join(''), 'Good morning, Acme')
  t.match(mock.getLastRequest(), { body: { model: 'test-model', max_tokens: 100, temperature: 0 } })
})

t.test('tools go out and calls of them come back; a conversation goes out in order', async (t) => {
  const toolCalls = [{ id: 'call_1', name: 'check', arguments: '{"total":"12.50"}' }]
  mock.on({ userMessage: 'use a tool', hasToolResult: false }, { toolCalls })
  mock.on({ toolCallId: 'call_1' }, { content: 'done' })
  const inputSchema = { type: 'object', properties: { total: { type: 'string' } } }
  const tools = [{ name: 'check', description: 'Checks a total.', inputSchema }]
  const expected = { ok: true, toolCalls: [{ id: 'call_1', name: 'check', arguments: { total: '12.50' } }] }
  t.match(await callModel(ask('use a tool', { tools }), { fetch: guarded }), {
    ...expected,
    finishReason: 'tool-calls',
  })
  t.match(mock.getLastRequest(), { body: { tools: [{ function: { name: 'check', parameters: inputSchema } }] } })
  t.match(await callModel(ask('use a tool', { tools }), { fetch: guarded, onDelta: () => undefined }), expected)

  const request = ask('use a tool', { tools })
  const messages = [
    ...request.messages,
    {
      role: 'assistant' as const,
      content: 'one moment',
      toolCalls: [{ id: 'call_1', name: 'check', arguments: { total: '12.50' } }],
    },
    { role: 'tool' as const, toolCallId: 'call_1', name: 'check', content: '{"ok":true}' },
  ]
  t.match(await callModel({ ...request, messages }, { fetch: guarded }), { ok: true, text: 'done' })
  t.match(mock.getLastRequest()?.body, {
    messages: [
      { role: 'system', content: 'You review invoices.' },
      { role: 'user', content: 'use a tool' },
      {
        role: 'assistant',
        content: 'one moment',
        tool_calls: [{ id: 'call_1', function: { name: 'check', arguments: '{"total":"12.50"}' } }],
      },
      { role: 'tool', tool_call_id: 'call_1', content: '{"ok":true}' },
    ],
  })
})

t.test('what a server refuses has a code of its own, is asked once, and never repeats the key', async (t) => {
  const codes = {
    400: 'refused',
    401: 'unauthorized',
    403: 'unauthorized',
    404: 'unknown',
    422: 'refused',
    429: 'rate_limited',
  }
  for (const [status, code] of Object.entries({ ...codes, 500: 'unavailable', 502: 'unavailable', 504: 'timeout' })) {
    let asked = 0
    const body = JSON.stringify({ error: { message: `key ${apiKey} is not good enough`, type: 'x', code: 'y' } })
    const { io, request } = await serve(t, (incoming, response) => {
      asked++
      answering(body, Number(status))(incoming, response)
    })
    const result = await callModel(request(), io)
    t.match(result, { ok: false, error: { code: `model_${code}` } }, status)
    t.notOk(JSON.stringify(result).includes(apiKey), 'no key in the message')
    t.equal(asked, 1, 'no retry of its own')
    t.match(await callModel(request(), { ...io, onDelta: () => undefined }), { error: { code: `model_${code}` } })
  }
})

t.test('answers that cannot be used are named', async (t) => {
  const call = (text: string) => ({
    role: 'assistant',
    content: null,
    tool_calls: [{ id: 'c', type: 'function', function: { name: 'check', arguments: text } }],
  })
  const bad = {
    'no JSON': '<html>It works!</html>',
    'no choices': '{"choices":[]}',
    'another shape': '{"result":"hello"}',
    'arguments that are no JSON': completion(call('{"total":'), 'tool_calls'),
    'arguments that forge a prototype': completion(call('{"\\u005f_proto__":{"admin":true}}'), 'tool_calls'),
  }
  for (const [name, body] of Object.entries(bad)) {
    const { io, request } = await serve(t, answering(body))
    t.match(await callModel(request(), io), { ok: false, error: { code: 'model_bad_answer' } }, name)
  }
  const { io, request } = await serve(t, answering(completion(call(''), 'tool_calls')))
  t.match(await callModel(request(), io), {
    toolCalls: [{ arguments: {} }],
    usage: { inputTokens: 7, outputTokens: 3 },
  })
  const cut = await serve(t, (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('data: {"choices":[{"index":0,"delta":{"content":"half"}}]}\n\n', () => response.destroy())
  })
  t.match(await callModel(cut.request(), { ...cut.io, onDelta: () => undefined }), { ok: false })
})

t.test('a server that is silent, away or inside is told apart', async (t) => {
  const silent = await serve(t, () => undefined)
  t.match(await callModel(silent.request({ timeoutMs: 50 }), silent.io), {
    error: { code: 'model_timeout', message: 'the model did not answer within 50 ms' },
  })
  const stalling = await serve(t, (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('data: {"choices":[{"index":0,"delta":{"content":"half"}}]}\n\n')
  })
  const stalled = await callModel(stalling.request({ timeoutMs: 200 }), { ...stalling.io, onDelta: () => undefined })
  t.match(stalled, { error: { code: 'model_timeout' } })

  const nobody = createServer().listen(0, '127.0.0.1')
  await once(nobody, 'listening')
  const host = `127.0.0.1:${(nobody.address() as AddressInfo).port}`
  await new Promise((done) => nobody.close(done))
  const away = await callModel(ask('hello', { baseUrl: `http://${host}/v1` }), {
    fetch: createGuardedFetch({ allow: [host] }),
  })
  t.match(away, { error: { code: 'model_unavailable', message: /ECONNREFUSED/ } })
  t.match(await callModel(ask('hello'), { fetch: createGuardedFetch() }), { error: { code: 'egress_refused' } })

  const abort = new AbortController()
  const asked = callModel(silent.request(), { ...silent.io, signal: abort.signal })
  abort.abort(new Error('the run was cancelled'))
  await t.rejects(asked, /the run was cancelled/)
})

t.test('the key is sent as a bearer token; without one none is', async (t) => {
  const { io, request } = await serve(t, (incoming, response) => {
    answering(completion({ role: 'assistant', content: String(incoming.headers.authorization) }))(incoming, response)
  })
  t.match(await callModel(request(), io), { text: `Bearer ${apiKey}` })
  t.match(await callModel(request({ apiKey: undefined }), io), { text: 'undefined' })
})
