import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type JSONRPCMessage, ReadBuffer, serializeMessage, type Transport } from '@modelcontextprotocol/client'
import type { McpCommand } from './mcp-commands.ts'

const killAfterMs = 2000
/** What a program may write that is no message, before it is taken for no MCP server. */
const maxNoise = 100

/** Process groups of this process, which end with it whatever happens. */
const groups = new Set<number>()
let watching = false

interface GroupOptions {
  readonly command: McpCommand
  readonly tenantId: string
  readonly path: string
  /** Of one message. */
  readonly maxBytes: number
  /** Told why this end closes the connection; it is to call `close`. */
  readonly fail: (reason: string) => void
}

/**
 * Speaks MCP with a program of its own: a process group of its own, an empty folder to work in, no environment but the
 * operator's and PATH. Not the library's transport, which hands its own HOME, USER and SHELL on and ends one process only.
 */
export class GroupTransport implements Transport {
  onclose?: () => void
  onerror?: (error: Error) => void
  onmessage?: Transport['onmessage']
  readonly #options: GroupOptions
  readonly #buffer: ReadBuffer
  #child: ChildProcess | undefined
  #folder = ''
  #noise = 0

  constructor(options: GroupOptions) {
    this.#options = options
    this.#buffer = new ReadBuffer({ maxBufferSize: options.maxBytes })
  }

  async start(): Promise<void> {
    const { command, tenantId, path } = this.#options
    const own = (text: string) => text.replaceAll('{tenant}', tenantId)
    const env = Object.fromEntries(Object.entries(command.env).map(([name, value]) => [name, own(value)]))
    this.#folder = mkdtempSync(join(tmpdir(), 'enginex-mcp-'))
    const child = spawn(command.command, command.args.map(own), {
      cwd: this.#folder,
      env: { PATH: path, HOME: this.#folder, ...env },
      stdio: ['pipe', 'pipe', 'ignore'],
      detached: true,
    })
    this.#child = child
    child.once('close', () => this.#ended())
    child.stdin!.on('error', () => undefined) // its end is told by 'close'
    child.stdout!.on('data', (chunk: Buffer) => this.#read(chunk))
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve)
      child.once('error', (error) => {
        this.#ended()
        reject(error)
      })
    })
    remember(child.pid!)
  }

  async send(message: JSONRPCMessage): Promise<void> {
    const { stdin } = this.#child ?? {}
    if (!stdin?.writable) throw new Error('the program has ended')
    await new Promise<void>((resolve, reject) => {
      stdin.write(serializeMessage(message), (error) => (error ? reject(error) : resolve()))
    })
  }

  async close(): Promise<void> {
    const child = this.#child
    if (!child?.pid) return
    const gone = new Promise<void>((resolve) => {
      if (child.exitCode !== null || child.signalCode !== null) resolve()
      else child.once('exit', () => resolve())
    })
    child.stdin!.end()
    kill(child.pid, 'SIGTERM')
    const last = setTimeout(() => kill(child.pid!, 'SIGKILL'), killAfterMs)
    await gone
    clearTimeout(last)
    kill(child.pid, 'SIGKILL') // what it started itself
    this.#ended()
  }

  #read(chunk: Buffer): void {
    try {
      this.#buffer.append(chunk)
    } catch {
      this.#fail(`it answered more than ${Math.floor(this.#options.maxBytes / 1024 / 1024)} MB`)
      return
    }
    while (this.#noise <= maxNoise) {
      try {
        const message = this.#buffer.readMessage()
        if (message === null) return
        this.onmessage?.(message)
      } catch (error) {
        this.#noise += 1
        this.onerror?.(error as Error)
      }
    }
    this.#fail('it writes what is no MCP')
  }

  #fail(reason: string): void {
    this.#child?.stdout?.removeAllListeners('data')
    this.#options.fail(reason)
  }

  #ended(): void {
    const child = this.#child
    if (!child) return
    this.#child = undefined
    if (child.pid) groups.delete(child.pid)
    child.stdout?.destroy()
    this.#buffer.clear()
    rmSync(this.#folder, { recursive: true, force: true })
    this.onclose?.()
  }
}

function remember(pid: number): void {
  groups.add(pid)
  if (watching) return
  watching = true
  process.once('exit', () => {
    for (const group of groups) kill(group, 'SIGKILL')
  })
}

function kill(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal)
  } catch {
    // It is gone.
  }
}
