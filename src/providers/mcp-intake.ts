import type { JSONRPCMessage, Transport } from '@modelcontextprotocol/client'

/** The library checks each of these with a schema, and tells everything that is wrong with each: seconds for a million. */
const most = { content: 200, tools: 256, values: 20_000, messages: 2000 }

/**
 * Looks at each message before the library does, and calls `fail` instead of passing on one that would take it long.
 * Structured content is not counted: no schema looks at it.
 */
export function guardIntake(transport: Transport, fail: (reason: string) => void): void {
  let messages = 0 // since this side last asked for something
  const send = transport.send.bind(transport)
  transport.send = (message, options) => {
    if ('method' in message) messages = 0
    return send(message, options)
  }
  let failed = false
  const guarded = (handler: NonNullable<Transport['onmessage']>): NonNullable<Transport['onmessage']> => {
    return (message, extra) => {
      messages += 1
      const reason = messages > most.messages ? 'it says more than anyone asked for' : excessOf(message)
      if (reason && !failed) fail(reason)
      failed ||= reason !== undefined
      if (!failed) handler(message, extra)
    }
  }
  let current: Transport['onmessage']
  Object.defineProperty(transport, 'onmessage', {
    configurable: true,
    get: () => current,
    set: (handler: Transport['onmessage']) => {
      current = handler && guarded(handler)
    },
  })
}

function excessOf(message: JSONRPCMessage): string | undefined {
  const { result } = message as { result?: Record<string, unknown> }
  const { structuredContent: _, ...counted } = result ?? {}
  if (Array.isArray(counted['content']) && counted['content'].length > most.content) {
    return `it answered in more than ${most.content} parts`
  }
  if (Array.isArray(counted['tools']) && counted['tools'].length > most.tools) {
    return `it lists ${counted['tools'].length} tools at once; at most ${most.tools} are taken in`
  }
  const waiting: unknown[] = [result ? counted : message]
  for (let values = 0; waiting.length > 0; values += 1) {
    const value = waiting.pop()
    if (values + waiting.length > most.values) return `it answered with more than ${most.values} values`
    if (typeof value !== 'object' || value === null) continue
    const inner = Object.values(value)
    if (inner.length > most.values) return `it answered with more than ${most.values} values`
    for (const one of inner) waiting.push(one)
  }
  return undefined
}
