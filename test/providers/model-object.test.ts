import t, { type Test } from 'tap'
import { createGuardedFetch } from '../../src/providers/http.ts'
import { callModel, type ModelRequest } from '../../src/providers/model.ts'
import { askForObject } from '../../src/providers/model-object.ts'
import { type Asked, refuse, say, serveModel } from '../support/model-server.ts'

const output = {
  type: 'object',
  required: ['verdict'],
  additionalProperties: false,
  properties: { verdict: { enum: ['accept', 'retry'] }, reason: { type: 'string', maxLength: 20 } },
}

async function askObject(t: Test, answers: (string | ((asked: Asked) => unknown))[], more: Partial<ModelRequest> = {}) {
  const server = await serveModel(t, (asked, count) => {
    const answer = answers[count - 1] ?? 'no more'
    return typeof answer === 'string' ? say(asked, answer) : answer(asked)
  })
  const { fetch } = { fetch: createGuardedFetch({ allow: [server.host] }) }
  const request = {
    provider: 'openai_compatible' as const,
    baseUrl: server.baseUrl,
    model: 'm',
    messages: [{ role: 'system' as const, content: 'You judge.' }],
    tools: [],
    output,
    maxTokens: 100,
    temperature: 0,
    timeoutMs: 5000,
    idempotencyKey: 'run:1.1',
    ...more,
  }
  return { result: await askForObject(request, (one) => callModel(one, { fetch })), asked: server.asked }
}

t.test('an object that fits is the answer, asked for in words and by the provider', async (t) => {
  for (const provider of ['openai', 'openai_compatible'] as const) {
    const { result, asked } = await askObject(t, ['{"verdict":"accept"}'], { provider })
    t.match(result, { ok: true, object: { verdict: 'accept' } })
    t.equal(asked.length, 1)
    const { response_format, messages } = asked[0]!.body
    t.match(response_format, { type: 'json_schema', json_schema: { schema: output, strict: false } }, provider)
    t.match(messages[0].content, /^You judge\.\n\nAnswer with one JSON object/)
  }
  const fenced = await askObject(t, ['```json\n{"verdict":"retry"}\n```'])
  t.match(fenced.result, { ok: true, object: { verdict: 'retry' } }, 'in a block of Markdown')
})

t.test('Anthropic is held to it by a tool or by its format, and both are read', async (t) => {
  const text = (asked: Asked) => {
    const { response } = asked
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const forced = asked.body.tools?.[0]?.name === 'json'
    const block = forced ? { type: 'tool_use', id: 't', name: 'json', input: {} } : { type: 'text', text: '' }
    const json = '{"verdict":"accept"}'
    const delta = forced ? { type: 'input_json_delta', partial_json: json } : { type: 'text_delta', text: json }
    const usage = { input_tokens: 5, output_tokens: 2 }
    for (const data of [
      { type: 'message_start', message: { id: 'x', model: 'm', role: 'assistant', content: [], usage } },
      { type: 'content_block_start', index: 0, content_block: block },
      { type: 'content_block_delta', index: 0, delta },
      { type: 'content_block_stop', index: 0 },
      { type: 'message_delta', delta: { stop_reason: forced ? 'tool_use' : 'end_turn' }, usage },
      { type: 'message_stop' },
    ]) {
      response.write(`event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`)
    }
    response.end()
  }
  for (const model of ['claude-3-haiku-20240307', 'claude-sonnet-4-5']) {
    const { result, asked } = await askObject(t, [text], { provider: 'anthropic', model })
    t.match(result, { ok: true, object: { verdict: 'accept' } }, model)
    const { tools, output_config, output_format } = asked[0]!.body
    t.ok(tools ?? output_config ?? output_format, `${model} is held to the shape`)
  }
})

t.test('what does not fit is shown to the model once, and may be mended', async (t) => {
  const bad = ['I accept.', '{"verdict":"maybe"}', '[1]', '"accept"', '{"verdict":"accept","x":1}', '{"__proto__":{}}']
  for (const answer of bad) {
    const { result, asked } = await askObject(t, [answer, '{"verdict":"accept"}'])
    t.match(result, { ok: true, object: { verdict: 'accept' } }, answer)
    t.equal(asked.length, 2)
    const said = asked[1]!.body.messages.slice(-2)
    t.match(said, [
      { role: 'assistant', content: answer },
      { role: 'user', content: /^That cannot be used/ },
    ])
    t.match(
      asked.map(({ headers }) => headers['idempotency-key']),
      ['run:1.1', 'run:1.1:mend'],
      'another question',
    )
  }
  const { result, asked } = await askObject(t, ['no', 'no', '{"verdict":"accept"}'])
  t.match(result, { ok: false, error: { code: 'model_bad_answer', message: /it is not JSON/ } }, 'only once')
  t.equal(asked.length, 2)
})

t.test('a compatible server without schemas is asked in words alone', async (t) => {
  const without = (asked: Asked) => refuse(asked, 400, { error: { message: 'response_format is not supported' } })
  const { result, asked } = await askObject(t, [without, '{"verdict":"accept"}'])
  t.match(result, { ok: true, object: { verdict: 'accept' } })
  t.notOk('response_format' in asked[1]!.body)
  const failing = await askObject(t, [without, without])
  t.match(failing.result, { ok: false, error: { code: 'model_refused' } })
  t.equal(failing.asked.length, 2)
  const openai = await askObject(t, [without, '{"verdict":"accept"}'], { provider: 'openai' })
  t.match(openai.result, { ok: false, error: { code: 'model_refused' } }, 'its own provider knows them')
})

t.test('an answer of empty lines is read in no time', async (t) => {
  const lines = '\n'.repeat(100_000)
  const { result } = await askObject(t, [`\`\`\`${lines}x`, `\`\`\`${lines}{"verdict":"retry"}${lines}\`\`\`${lines}`])
  t.match(result, { ok: true, object: { verdict: 'retry' } })
})
