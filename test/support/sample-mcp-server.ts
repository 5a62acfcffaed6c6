import { createInterface } from 'node:readline'

// The smallest MCP server over stdio. Its one tool tells what it was started with: arguments, folder, environment, pid.
const tools = [
  { name: 'whoami', description: 'Tells how it was started.', inputSchema: { type: 'object', properties: {} } },
]

function answer(method: string, params: { protocolVersion?: string }): object | undefined {
  if (method === 'initialize') {
    const serverInfo = { name: 'sample', version: '1.0.0' }
    return { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo }
  }
  if (method === 'tools/list') return { tools }
  if (method !== 'tools/call') return undefined
  const told = { args: process.argv.slice(2), cwd: process.cwd(), env: process.env, pid: process.pid }
  return { content: [{ type: 'text', text: JSON.stringify(told) }], structuredContent: told }
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line)
  const result = answer(method, params)
  if (id !== undefined && result) process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', id, result })}\n`)
})
