import pg from 'pg'
import { AppError } from '../errors.ts'
import { codeOf } from './refusals.ts'
import { entries, type Scope } from './scope.ts'
import { type Rows, ScopedQuery, type Statement } from './statement.ts'

export interface ConnectionOptions {
  readonly url: string
  readonly applicationName: string
  /** Pipelined connections for reads; default 4. */
  readonly shared?: number
  /** Connections for writes and transactions, one holder at a time; default 8. */
  readonly exclusive?: number
  /** Statements that may be under way on one shared connection; more are refused as `overloaded`. Default 256. */
  readonly maxInFlight?: number
  /**
   * How long an exclusive connection may be silent before it is given up: the network may be cut without a word. Default
   * 20 s, longer than any statement may take.
   */
  readonly answerMs?: number
}

/** Limits of every session, so that no statement, lock or forgotten transaction can hold others up for long. */
function settings(readOnly: boolean): string {
  const values = {
    search_path: 'app',
    statement_timeout: readOnly ? '5s' : '15s',
    lock_timeout: '5s',
    idle_in_transaction_session_timeout: '10s',
    transaction_timeout: '30s',
    default_transaction_read_only: readOnly ? 'on' : 'off',
    timezone: 'UTC',
  }
  return Object.entries(values)
    .map(([name, value]) => `-c ${name}=${value}`)
    .join(' ')
}

function config(options: ConnectionOptions, readOnly: boolean): pg.ClientConfig {
  return {
    connectionString: options.url,
    application_name: options.applicationName,
    options: settings(readOnly),
    keepAlive: true,
    connectionTimeoutMillis: 5000,
    pipeline: true,
    types: { getTypeParser },
  } as pg.ClientConfig
}

const parsers = pg.types.getTypeParser as (oid: number, format?: string) => (text: string) => unknown
const anyTime = parsers(pg.types.builtins.TIMESTAMPTZ)

/** Times of a session in UTC are ISO 8601 but for two characters; pg's own parser, made for every style, costs five times that. */
function parseTime(text: string): unknown {
  return text[10] === ' ' && text.endsWith('+00')
    ? new Date(`${text.slice(0, 10)}T${text.slice(11, -3)}Z`)
    : anyTime(text)
}

function getTypeParser(oid: number, format?: 'text' | 'binary'): (text: string) => unknown {
  return oid === pg.types.builtins.TIMESTAMPTZ && format !== 'binary' ? parseTime : parsers(oid, format)
}

interface Shared {
  readonly client: pg.Client
  inFlight: number
  /** Statements of this turn of the event loop are held back, to leave together. */
  corked: boolean
}

/**
 * Read-only connections on which the statements of all tenants follow one another without waiting.
 * A lost one fails what was under way on it and is opened again, with back-off, in the background.
 */
export class SharedConnections {
  readonly #options: ConnectionOptions
  readonly #open: (Shared | undefined)[]
  #stopped = false

  constructor(options: ConnectionOptions) {
    this.#options = options
    this.#open = Array.from({ length: options.shared ?? 4 }, () => undefined)
  }

  async start(): Promise<void> {
    await Promise.all(this.#open.map((_, slot) => this.#connect(slot)))
  }

  async #connect(slot: number): Promise<void> {
    const client = new pg.Client(config(this.#options, true))
    let lost = false
    client.on('error', () => {
      if (lost) return // emitted more than once for one lost connection
      lost = true
      if (this.#open[slot]?.client === client) this.#open[slot] = undefined
      this.#reconnect(slot, 50)
    })
    try {
      await client.connect()
      await prepareEntries(client, ['member'])
    } catch (error) {
      if (!lost) {
        lost = true
        void client.end().catch(() => undefined)
      } else if (this.#stopped) return
      throw error
    }
    if (this.#stopped) await client.end()
    else if (!lost) this.#open[slot] = { client, inFlight: 0, corked: false }
  }

  #reconnect(slot: number, waitMs: number): void {
    if (this.#stopped) return
    setTimeout(() => {
      if (this.#stopped || this.#open[slot]) return
      this.#connect(slot).catch(() => this.#reconnect(slot, Math.min(waitMs * 2, 2000)))
    }, waitMs).unref()
  }

  /** Sends the statement on the connection that has the least to do. */
  query(scope: Scope, statement: Statement): Promise<Rows> {
    let best: Shared | undefined
    for (const one of this.#open) if (one && (!best || one.inFlight < best.inFlight)) best = one
    if (!best) return Promise.reject(new AppError('database_unavailable', 'the database is not reachable; try again'))
    if (best.inFlight >= (this.#options.maxInFlight ?? 256)) {
      return Promise.reject(new AppError('overloaded', 'too many requests are under way; try again'))
    }
    const chosen = best
    return new Promise((resolve, reject) => {
      const query = new ScopedQuery(scope, statement, (error, result) => {
        chosen.inFlight -= 1
        if (error) reject(error)
        else resolve(result as Rows)
      })
      chosen.inFlight += 1
      cork(chosen)
      chosen.client.query(query as any)
    })
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#open.map((one) => one?.client.end()))
  }
}

/** What many requests send in one turn of the event loop leaves in one write: a system call costs as much as a statement. */
function cork(shared: Shared): void {
  if (shared.corked) return
  const { stream } = (shared.client as any).connection
  shared.corked = true
  stream.cork()
  setImmediate(() => {
    shared.corked = false
    stream.uncork()
  })
}

/** Connections with one holder at a time, for writes and transactions. */
export function exclusivePool(options: ConnectionOptions): pg.Pool {
  const pool = new pg.Pool({
    ...config(options, false),
    query_timeout: options.answerMs ?? 20_000,
    max: options.exclusive ?? 8,
    min: 1,
    idleTimeoutMillis: 30_000,
    allowExitOnIdle: false,
  } as pg.PoolConfig)
  pool.on('error', () => undefined) // an idle connection was lost: the pool has already removed it
  // One in use was lost: its holder is told by its next statement; unheard, the event would end the process.
  pool.on('connect', (client) => client.on('error', () => undefined))
  return pool
}

/** An entry must exist on a connection before a statement can be bound behind it. Null arguments are refused, which is fine. */
export async function prepareEntries(client: pg.ClientBase, kinds: readonly Scope['kind'][]): Promise<void> {
  for (const kind of kinds) {
    const { name, text } = entries[kind]
    const values = [...text.matchAll(/\$\d/g)].map(() => null)
    try {
      await client.query({ name, text, values })
    } catch (error) {
      if (!codeOf(error)?.startsWith('TN')) throw error
    }
  }
}
