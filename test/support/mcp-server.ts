import type { ServerResponse } from 'node:http'
import type { Test } from 'tap'
import { type Received, sendJson, serve, type TestServer } from './http-server.ts'

type Params = Record<string, unknown>

export interface McpScript {
  readonly tools?: readonly unknown[]
  /** Answers a call of a tool: what comes back is the result; undefined when the response was used. */
  readonly call?: (params: Params, got: Received, response: ServerResponse) => unknown
  /** Comes before all that; true when the response was used. */
  readonly before?: (method: string, got: Received, response: ServerResponse, id: unknown) => boolean
}

export const echo = { name: 'echo', description: 'Says it again.', inputSchema: { type: 'object' } }

/** The smallest MCP server over HTTP, which does whatever the test wants. */
export async function serveMcp(
  t: Pick<Test, 'teardown'>,
  script: McpScript = {},
  /** True when it swallows the request and never answers. */
  swallow: (got: Received) => boolean = () => false,
): Promise<TestServer> {
  let sessions = 0
  return await serve(t, async (got, response) => {
    if (swallow(got)) return
    if (got.method !== 'POST') return response.writeHead(405).end()
    const { id, method, params } = JSON.parse(got.body) as { id?: unknown; method: string; params: Params }
    if (script.before?.(method, got, response, id)) return
    if (id === undefined) return response.writeHead(202).end()
    const answer = (result: unknown) => sendJson(response, { jsonrpc: '2.0', id, result })
    if (method === 'initialize') {
      response.setHeader('mcp-session-id', `session-${++sessions}`)
      const serverInfo = { name: 'test', version: '1.0.0' }
      return answer({ protocolVersion: params['protocolVersion'], capabilities: { tools: {} }, serverInfo })
    }
    if (method === 'tools/list') return answer({ tools: script.tools ?? [echo] })
    if (method === 'tools/call') {
      const result = script.call ? await script.call(params, got, response) : said(JSON.stringify(params['arguments']))
      return result === undefined ? undefined : answer(result)
    }
    return sendJson(response, { jsonrpc: '2.0', id, error: { code: -32601, message: 'Method not found' } })
  })
}

/** A result of one text. */
export function said(text: string): object {
  return { content: [{ type: 'text', text }] }
}

/** The names of the methods that a server was asked for. */
export function methodsOf({ received }: TestServer): string[] {
  return received.filter(({ method }) => method === 'POST').map(({ body }) => JSON.parse(body).method)
}
