import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Test } from 'tap'
import { serve } from './http-server.ts'

/** What a model server was asked, and what it answers with. */
export interface Asked {
  readonly headers: IncomingMessage['headers']
  // biome-ignore lint/suspicious/noExplicitAny: whatever a client library sends
  readonly body: any
  readonly path: string
  readonly response: ServerResponse
  /** Resolves when the client has gone, or everything was sent. */
  readonly closed: Promise<unknown>
}

export interface ModelServer {
  /** host:port */
  readonly host: string
  readonly baseUrl: string
  readonly asked: Asked[]
}

/** A real HTTP server in place of a model's, which answers as the test says. */
export async function serveModel(
  t: Pick<Test, 'teardown'>,
  answer: (asked: Asked, count: number) => unknown,
): Promise<ModelServer> {
  const asked: Asked[] = []
  const { place: host } = await serve(t, async ({ headers, body, url: path }, response) => {
    const closed = response.closed ? Promise.resolve() : once(response, 'close')
    const one = { headers, body: JSON.parse(body || '{}'), path, response, closed }
    asked.push(one)
    await answer(one, asked.length)
  })
  return { host, baseUrl: `http://${host}/v1`, asked }
}

/** Answers as OpenAI and compatible servers do, piece by piece. */
export function say(
  { response }: Asked,
  pieces: string | readonly string[],
  { finish = 'stop', tokens = [7, 3] }: { finish?: string | null; tokens?: readonly [unknown, unknown] } = {},
): void {
  const [prompt_tokens, completion_tokens] = tokens
  begin(response)
  for (const content of [pieces].flat()) chunk(response, { content })
  end(response, finish, { prompt_tokens, completion_tokens, total_tokens: 10 })
}

/** Answers with calls of tools, their arguments as they are. */
export function callTools({ response }: Asked, calls: readonly { name: string; arguments: string }[]): void {
  begin(response)
  const tool_calls = calls.map((call, index) => ({ index, id: `c${index}`, type: 'function', function: call }))
  chunk(response, { tool_calls })
  end(response, 'tool_calls', { prompt_tokens: 7, completion_tokens: 3, total_tokens: 10 })
}

export function refuse(
  { response }: Asked,
  status: number,
  body: unknown = {},
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

export function begin(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
}

/** @returns false when the client takes no more for now */
export function chunk(response: ServerResponse, delta: object): boolean {
  return event(response, { choices: [{ index: 0, delta, finish_reason: null }] })
}

export function event(response: ServerResponse, data: unknown): boolean {
  return response.write(`data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`)
}

function end(response: ServerResponse, finish_reason: string | null, usage: object): void {
  if (finish_reason !== null) event(response, { choices: [{ index: 0, delta: {}, finish_reason }] })
  event(response, { choices: [], usage })
  event(response, '[DONE]')
  response.end()
}
