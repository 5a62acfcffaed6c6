import { Client, StreamableHTTPClientTransport, type Transport } from '@modelcontextprotocol/client'
import { AppError } from '../errors.ts'
import type { McpCommands } from './mcp-commands.ts'
import { guardIntake } from './mcp-intake.ts'
import { GroupTransport } from './mcp-stdio.ts'
import type { Secrets } from './secrets.ts'
import { untilAborted } from './until-aborted.ts'

/** One MCP server of one tenant, as it is configured now. */
export interface McpTarget {
  readonly tenantId: string
  /** Of the server's row, with the version of its configuration: another version is another server. */
  readonly id: string
  readonly version: number
  readonly name: string
  readonly address:
    | {
        readonly transport: 'streamable_http'
        readonly url: string
        readonly headers: Readonly<Record<string, string>>
      }
    | { readonly transport: 'stdio'; readonly command: string }
  readonly secrets: Secrets
  /** Of a connection and of each call. */
  readonly timeoutMs: number
}

export interface Surroundings {
  /** Guarded, and with sockets that nothing else uses; they are closed when the signal is aborted. */
  readonly newFetch: (until: AbortSignal) => typeof fetch
  readonly commands: McpCommands
  /** PATH of the programs. */
  readonly path: string
}

/** Bytes that are taken in: of each answer, and of all answers of the connection. */
export interface Intake {
  readonly perAnswer: number
  readonly inAll: number
}

export interface Connection {
  readonly client: Client
  /** Why the connection was closed, when this side did it. */
  readonly fault: () => AppError | undefined
  readonly onClose: (told: () => void) => void
  close(): Promise<void>
}

/** Told what the library would wrap in words of its own. */
interface Watch {
  readonly refused: (error: AppError) => void
  /** Aborted when the connection is closed. */
  readonly over: AbortSignal
  /** Closes the connection. */
  readonly fail: (reason: string) => void
}

/** However short the server wants it. */
const minReconnectMs = 100
const maxReconnects = 20
const leaveMs = 1000
const identity = { name: 'enginex', version: '1' }

/**
 * Connects. The client offers nothing, so whatever a server asks of it (sampling, elicitation, roots) is refused, and
 * it listens to nothing but answers. Throws whatever went wrong; `failureOf` makes it readable.
 */
export async function connect(
  target: McpTarget,
  around: Surroundings,
  intake: Intake,
  signal: AbortSignal,
): Promise<Connection> {
  const client = new Client(identity, {
    capabilities: {},
    inputRequired: { autoFulfill: false },
    // Both generations of the protocol over HTTP; a program may end at a question that it does not know.
    versionNegotiation: { mode: target.address.transport === 'stdio' ? 'legacy' : 'auto' },
    listMaxPages: 32,
    // What a tool answers is data for the agent; nothing of a stranger's schema is compiled in this process.
    jsonSchemaValidator: {
      getValidator: () => (input) => ({ valid: true, data: input as never, errorMessage: undefined }),
    },
  })
  const over = new AbortController()
  let fault: AppError | undefined
  const told: (() => void)[] = []
  const watch: Watch = {
    over: over.signal,
    refused: (error) => {
      fault ??= error
    },
    fail: (reason) => {
      fault ??= new AppError('mcp_bad_answer', `the MCP server ${target.name}: ${reason}`)
      void transport.close()
    },
  }
  const transport = transportOf(target, around, intake, watch)
  guardIntake(transport, watch.fail)
  client.onclose = () => {
    over.abort()
    for (const tell of told) tell()
  }
  try {
    // The library waits for the server to take its last notification, for as long as that may take.
    await untilAborted(client.connect(transport, { signal, timeout: target.timeoutMs }), signal)
  } catch (error) {
    await transport.close().catch(() => undefined)
    throw fault ?? error
  }
  return { client, fault: () => fault, onClose: (tell) => void told.push(tell), close: () => leave(client, transport) }
}

/** Tells the server that its session is over, if it is there to hear it, and closes. */
async function leave(client: Client, transport: Transport): Promise<void> {
  if (transport instanceof StreamableHTTPClientTransport) {
    await untilAborted(transport.terminateSession(), AbortSignal.timeout(leaveMs)).catch(() => undefined)
  }
  await client.close()
}

function transportOf(
  { address, tenantId, name, secrets }: McpTarget,
  { newFetch, commands, path }: Surroundings,
  intake: Intake,
  watch: Watch,
): Transport {
  if (address.transport === 'stdio') {
    const command = Object.hasOwn(commands, address.command) ? commands[address.command] : undefined
    if (!command) {
      throw new AppError('mcp_unavailable', `the MCP server ${name}: the operator allows no program ${address.command}`)
    }
    return new GroupTransport({ command, tenantId, path, maxBytes: intake.perAnswer, fail: watch.fail })
  }
  let reconnects = 0
  return new StreamableHTTPClientTransport(new URL(address.url), {
    fetch: limitedFetch(newFetch(watch.over), address.headers, secrets, intake, watch) as never,
    reconnectionOptions: {
      initialReconnectionDelay: 1000,
      maxReconnectionDelay: 5000,
      reconnectionDelayGrowFactor: 2,
      maxRetries: 2,
    },
    reconnectionScheduler: (reconnect, delayMs) => {
      reconnects += 1
      if (reconnects > maxReconnects) return watch.fail('it ends every stream before it has answered')
      const timer = setTimeout(reconnect, Math.max(delayMs, minReconnectMs))
      return () => clearTimeout(timer)
    },
  })
}

/** Headers with their secrets on the way out, and no more than is allowed on the way in. */
function limitedFetch(
  fetch: typeof globalThis.fetch,
  own: Readonly<Record<string, string>>,
  secrets: Secrets,
  intake: Intake,
  watch: Watch,
): typeof globalThis.fetch {
  let inAll = 0
  return async (input, init) => {
    const url = new URL(String(input))
    const headers = new Headers(init?.headers)
    // Of a stream that is not the rest of an answer nothing is wanted: what servers tell unasked is not listened to.
    if (init?.method === 'GET' && !headers.has('last-event-id')) return new Response(null, { status: 405 })
    const send = async () => {
      for (const [name, text] of Object.entries(own)) headers.set(name, secrets.fill(text, url))
      return await fetch(url, { ...init, headers: Object.fromEntries(headers) })
    }
    const answer = await send().catch((error) => {
      if (error instanceof AppError) watch.refused(error)
      throw error
    })
    if (!answer.body) return answer
    let bytes = 0
    const measured = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        bytes += chunk.byteLength
        inAll += chunk.byteLength
        if (bytes <= intake.perAnswer && inAll <= intake.inAll) return controller.enqueue(chunk)
        watch.fail(`it answered more than ${Math.floor(intake.perAnswer / 1024 / 1024)} MB`)
        controller.error(new Error('too much'))
      },
    })
    const { status, statusText } = answer
    return new Response(answer.body.pipeThrough(measured), { status, statusText, headers: [...answer.headers] })
  }
}
