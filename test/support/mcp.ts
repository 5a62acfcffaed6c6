import { resolve } from 'node:path'
import type { Test } from 'tap'
import { createMcp, type Mcp, type McpOptions } from '../../src/providers/mcp.ts'
import type { McpTarget } from '../../src/providers/mcp-connection.ts'
import { createSecrets } from '../../src/providers/secrets.ts'
import type { TestServer } from './http-server.ts'

const path = process.env.PATH ?? ''
const node = (...args: string[]) => ({ command: process.execPath, args, env: {} })

/** An operator who allows nothing. */
export const noMcp: McpOptions = { allow: [], commands: {}, path: '' }

/** An operator who allows the program of sample-mcp-server.ts under the name `sample`. */
export const sampleMcp: McpOptions = {
  allow: [],
  path,
  commands: { sample: node(resolve('test/support/sample-mcp-server.ts'), '{tenant}') },
}

/** Closed with the test. */
export function testMcp(t: Pick<Test, 'teardown'>, options: Partial<McpOptions> = {}): Mcp {
  const mcp = createMcp({ ...sampleMcp, ...options })
  t.teardown(() => mcp.close())
  return mcp
}

/** A real server from npm, as a program. */
export function npmServer(name: 'everything' | 'filesystem' | 'memory', ...args: string[]) {
  return node(resolve(`node_modules/@modelcontextprotocol/server-${name}/dist/index.js`), ...args)
}

let made = 0

/** A server of a tenant as a run meets it; each one is another configuration. */
export function targetOf(address: McpTarget['address'] | TestServer, change: Partial<McpTarget> = {}): McpTarget {
  made += 1
  return {
    tenantId: '0197a000-0000-7000-8000-000000000001',
    id: `server-${made}`,
    version: 1,
    name: 'test',
    address:
      'transport' in address ? address : { transport: 'streamable_http', url: `${address.url}/mcp`, headers: {} },
    secrets: createSecrets(new Map()),
    timeoutMs: 5000,
    ...change,
  }
}

/** A call of a tool that nobody gives up. */
export function callOf(tool: string, given: Record<string, unknown> = {}, timeoutMs = 5000) {
  return { tool, arguments: given, timeoutMs, idempotencyKey: 'run:1.1' }
}

export const never = new AbortController().signal
