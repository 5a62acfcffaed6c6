import { resolve } from 'node:path'
import type { McpOptions } from '../../src/providers/mcp.ts'

/** An operator who allows nothing. */
export const noMcp: McpOptions = { allow: [], commands: {}, path: '' }

/** An operator who allows the program of sample-mcp-server.ts under the name `sample`. */
export const sampleMcp: McpOptions = {
  allow: [],
  path: process.env.PATH ?? '',
  commands: {
    sample: { command: process.execPath, args: [resolve('test/support/sample-mcp-server.ts'), '{tenant}'], env: {} },
  },
}
