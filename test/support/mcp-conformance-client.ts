import { createMcp } from '../../src/providers/mcp.ts'
import { callOf, never, noMcp, targetOf } from './mcp.ts'

// What @modelcontextprotocol/conformance runs against its servers: our client, as a run uses it. The last argument is
// the address of the server.
const url = process.argv.at(-1)!
const mcp = createMcp({ ...noMcp, allow: [new URL(url).host] })
const target = targetOf({ transport: 'streamable_http', url, headers: {} }, { timeoutMs: 20_000 })
const tools = await mcp.discover(target, never)
for (const { name } of tools) {
  const given = name === 'add_numbers' ? { a: 5, b: 3 } : {}
  const answer = await mcp.call(target, callOf(name, given, 20_000), never)
  if (!answer.ok) throw new Error(answer.error.message)
  console.log(JSON.stringify(answer.output))
}
await mcp.close()
