import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import type { Test } from 'tap'

export interface Frame {
  /** Null of what is not stored. */
  readonly id: number | null
  readonly type: string
  readonly data: { runId: string; nodeId: string; data: Record<string, unknown> }
}

/** Opens a stream of a session and collects its frames until it ends. */
export async function listenTo(
  t: Pick<Test, 'teardown'>,
  address: string,
  sessionId: string,
  token: string,
  headers: Record<string, string> = {},
) {
  const abort = new AbortController()
  t.teardown(() => abort.abort())
  const answer = await fetch(`${address}/v1/sessions/${sessionId}/stream`, {
    headers: { authorization: `Bearer ${token}`, ...headers },
    signal: abort.signal,
  })
  const frames: Frame[] = []
  const state = { frames, ended: false, status: answer.status, text: '', abort }
  void (async () => {
    const decoder = new TextDecoder()
    let rest = ''
    for await (const chunk of answer.body as unknown as AsyncIterable<Uint8Array>) {
      const text = decoder.decode(chunk, { stream: true })
      state.text += text
      const blocks = (rest + text).split('\n\n')
      rest = blocks.pop() ?? ''
      for (const block of blocks) if (block.includes('event: ')) frames.push(frameOf(block))
    }
  })()
    .catch(() => undefined)
    .finally(() => {
      state.ended = true
    })
  return state
}

function frameOf(block: string): Frame {
  const [id, type = '', data = ''] = ['id', 'event', 'data'].map(
    (name) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1],
  )
  return { id: id === undefined ? null : Number(id), type, data: JSON.parse(data) }
}

/** Sessions with nothing but events, written past the application. */
export function sessionsOf(admin: pg.Client) {
  const enter = (tenantId: string) =>
    admin.query(`select set_config('app.tenant_id', $1, false), set_config('app.actor', 'system:test', false)`, [
      tenantId,
    ])
  return {
    async seedSession(tenantId: string): Promise<string> {
      const [agentId, versionId, id, runId] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()]
      await enter(tenantId)
      await admin.query('insert into agents (id, name) values ($1, $2)', [agentId, `agent-${agentId.slice(0, 8)}`])
      await admin.query(
        `insert into agent_versions (id, agent_id, version, digest, bytes, manifest) values ($1, $2, '1.0.0', 'd', 1, '{}')`,
        [versionId, agentId],
      )
      await admin.query(
        `insert into sessions (id, agent_id, agent_version_id, title, input) values ($1, $2, $3, 'S', '{}')`,
        [id, agentId, versionId],
      )
      await admin.query(`insert into runs (id, session_id, status) values ($1, $2, 'waiting')`, [runId, id])
      return id
    },
    /** Events of types that begin with `test.` have no schema. */
    async append(sessionId: string, ...types: string[]): Promise<void> {
      const events = types.map((type) => ({ type, nodeId: null, data: { canary: sessionId } }))
      await admin.query('select app.append_events($1, null, $2)', [sessionId, JSON.stringify(events)])
    },
  }
}
