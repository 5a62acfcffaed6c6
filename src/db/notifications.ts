import { EventEmitter } from 'node:events'
import pg from 'pg'

/**
 * A piece of a model's answer while it is being made: sent to whoever watches, never stored, may be lost. What is sent on
 * `textChannel` is a JSON array of these, at most 7,000 bytes.
 */
export interface TextDelta {
  readonly tenantId: string
  readonly sessionId: string
  readonly runId: string
  readonly nodeId: string
  readonly call: string
  /** From 0 in each attempt of a call; 0 again means that the answer begins anew. */
  readonly sequence: number
  readonly text: string
}

export const textChannel = 'enginex_text'

/**
 * What changed, as the database tells it (`app.notify_change`): one LISTEN connection per process, topics as
 * `<tenant>:<topic>`. Losing the connection is itself an event, `lost`: whoever relies on hearing everything must stop
 * and begin again. Reconnects with back-off.
 */
export class Notifications {
  readonly #url: string
  readonly #events = new EventEmitter().setMaxListeners(0)
  readonly #texts = new EventEmitter().setMaxListeners(0)
  #client: pg.Client | undefined
  #stopped = false

  constructor(url: string) {
    this.#url = url
  }

  async start(): Promise<this> {
    await this.#connect()
    return this
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#events.emit('lost')
    await this.#client?.end()
  }

  /** Calls `heard` at each change of the topic until the returned function is called. */
  on(tenantId: string, topic: string, heard: () => void): () => void {
    return this.#listen(`${tenantId}:${topic}`, heard)
  }

  /** The same for a topic of any tenant: `heard` gets the tenant's id. */
  onAny(topic: string, heard: (tenantId: string) => void): () => void {
    return this.#listen(`*:${topic}`, heard)
  }

  /** Calls `heard` with each piece of text that a model is writing for this session of this tenant. */
  onText(tenantId: string, sessionId: string, heard: (delta: TextDelta) => void): () => void {
    const event = `${tenantId}:${sessionId}`
    this.#texts.on(event, heard)
    return () => this.#texts.off(event, heard)
  }

  onLost(heard: () => void): () => void {
    return this.#listen('lost', heard)
  }

  get connected(): boolean {
    return this.#client !== undefined
  }

  #listen(event: string, heard: (...values: string[]) => void): () => void {
    this.#events.on(event, heard)
    return () => this.#events.off(event, heard)
  }

  async #connect(): Promise<void> {
    const client = new pg.Client({ connectionString: this.#url, application_name: 'enginex-listen', keepAlive: true })
    client.on('notification', ({ channel, payload = '' }) => {
      if (channel === textChannel) return this.#tellTexts(payload)
      const [tenantId = '', topic = ''] = [payload.slice(0, 36), payload.slice(37)]
      this.#events.emit(payload)
      this.#events.emit(`*:${topic.split(':')[0]}`, tenantId)
    })
    client.on('error', () => this.#reconnect(client, 100))
    client.on('end', () => this.#reconnect(client, 100))
    await client.connect()
    await client.query(`listen enginex; listen ${textChannel}`)
    this.#client = client
  }

  #tellTexts(payload: string): void {
    if (this.#texts.eventNames().length === 0) return
    for (const delta of JSON.parse(payload) as TextDelta[]) {
      this.#texts.emit(`${delta.tenantId}:${delta.sessionId}`, delta)
    }
  }

  #reconnect(lost: pg.Client, waitMs: number): void {
    if (this.#client !== lost || this.#stopped) return
    this.#client = undefined
    this.#events.emit('lost')
    this.#retry(waitMs)
  }

  #retry(waitMs: number): void {
    setTimeout(() => {
      if (!this.#stopped) this.#connect().catch(() => this.#retry(Math.min(waitMs * 2, 5000)))
    }, waitMs).unref()
  }
}
