import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { connect } from 'node:net'
import t from 'tap'
import { openControl } from '../../src/api/streams.ts'
import { type TextDelta, textChannel } from '../../src/db/notifications.ts'
import { testApp } from '../support/app.ts'
import { addMember, seedTenant } from '../support/database.ts'
import { type Frame, listenTo, sessionsOf } from '../support/stream.ts'
import { until } from '../support/until.ts'

// Streams that meet slow readers, lost connections, and what models are writing.
const { app, doors, admin, notifications, tokenFor } = await testApp(t)
const acme = await seedTenant(doors, 'acme')
const beta = await seedTenant(doors, 'beta')
const address = await app.listen({ host: '127.0.0.1', port: 0 })
const { seedSession, append } = sessionsOf(admin)
const responses: ServerResponse[] = []
app.server.on('request', (_request, response) => responses.push(response))

const idsOf = (frames: readonly Frame[]) => frames.map(({ id }) => id)
const count = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n)

async function listen(sessionId: string, headers?: Record<string, string>, token?: string) {
  return await listenTo(t, address, sessionId, token ?? (await tokenFor(acme, 'operator')), headers)
}

async function say(...deltas: Partial<TextDelta>[]): Promise<void> {
  const all = deltas.map((delta) => ({
    tenantId: acme.tenantId,
    runId: 'r',
    nodeId: 'n',
    call: '1.1',
    sequence: 0,
    ...delta,
  }))
  await admin.query('select pg_notify($1, $2)', [textChannel, JSON.stringify(all)])
}

/** A reader that asks for a stream and never takes anything of it. @returns the server's side of it */
async function sleeper(sessionId: string): Promise<ServerResponse> {
  const { port } = new URL(address)
  const socket = connect({ port: Number(port), host: '127.0.0.1' })
  socket.pause()
  socket.on('error', () => undefined)
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  const authorization = `Bearer ${await tokenFor(acme, 'operator')}`
  const before = responses.length
  const path = `/v1/sessions/${sessionId}/stream`
  socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\nauthorization: ${authorization}\r\n\r\n`)
  return await until('the request', () => responses[before])
}

/** More than the kernel takes for a reader that is asleep. */
async function appendMuch(sessionId: string): Promise<void> {
  await admin.query(
    `select app.append_events($1, null, (select jsonb_agg(jsonb_build_object('type', 'test.large', 'data',
       jsonb_build_object('text', repeat('x', 60000)))) from generate_series(1, 300)))`,
    [sessionId],
  )
}

t.test('replays from any point, far behind, while new ones come: no gap, nothing twice', async (t) => {
  const session = await seedSession(acme.tenantId)
  await append(session, ...count(1, 700).map(() => 'test.old'))
  const opened = [0, 1, 37, 200, 201, 450, 699].map((last) => listen(session, { 'last-event-id': String(last) }))
  for (let n = 0; n < 60; n += 1) await append(session, ...count(1, 5).map(() => 'test.new'))
  for (const [n, last] of [0, 1, 37, 200, 201, 450, 699].entries()) {
    const stream = await opened[n]!
    await until('the last one', () => stream.frames.at(-1)?.id === 1000)
    t.same(idsOf(stream.frames), count(last + 1, 1000), `behind ${last}`)
  }
})

t.test('a reader that left comes back behind what it saw, as often as it wants', async (t) => {
  const session = await seedSession(acme.tenantId)
  const seen: (number | null)[] = []
  for (let n = 0; n < 6; n += 1) {
    const stream = await listen(session, { 'last-event-id': String(seen.at(-1) ?? 0) })
    await append(session, ...count(1, 3 + n).map(() => 'test.more'))
    await until('some of them', () => stream.frames.length >= 2)
    stream.abort.abort()
    await until('it left', () => stream.ended)
    seen.push(...idsOf(stream.frames))
  }
  t.same(seen, count(1, seen.length))
})

t.test('a reader that takes nothing is closed, and holds no more than the socket does', async (t) => {
  const session = await seedSession(acme.tenantId)
  await appendMuch(session)
  const response = await sleeper(session)
  await until('the socket is full', () => response.writableNeedDrain)
  t.ok(response.writableLength < 256 * 1024, `${response.writableLength} bytes wait of 18 MB`)
  await until('the connection is closed', () => response.destroyed)
  t.ok(response.writableLength < 256 * 1024)
})

t.test('a reader that takes nothing ends with the membership all the same', async (t) => {
  const session = await seedSession(acme.tenantId)
  await appendMuch(session)
  const response = await sleeper(session)
  await until('the socket is full', () => response.writableNeedDrain)
  await addMember(doors, acme.tenantId, acme.members.operator, ['auditor'])
  await until('the connection is closed', () => response.destroyed, 1000)
  t.ok(response.destroyed)
  await addMember(doors, acme.tenantId, acme.members.operator, ['operator'])
})

t.test('ends when the process hears nothing any more, and opens again when it does', async (t) => {
  const session = await seedSession(acme.tenantId)
  const stream = await listen(session)
  await append(session, 'test.one')
  await until('the first one', () => stream.frames.length === 1)
  await admin.query(`select pg_terminate_backend(pid) from pg_stat_activity
                      where application_name = 'enginex-listen' and datname = current_database()`)
  await until('the end', () => stream.ended, 1000)
  const deaf = await listen(session)
  if (!notifications.connected) await until('no stream while nothing is heard', () => deaf.ended)
  await until('it hears again', () => notifications.connected)
  const again = await listen(session, { 'last-event-id': '1' })
  await append(session, 'test.two')
  await until('the next one', () => again.frames.length === 1)
  t.same(idsOf(again.frames), [2])
})

t.test('what a model is writing arrives, without a number, at its own session only', async (t) => {
  const [mine, other] = [await seedSession(acme.tenantId), await seedSession(acme.tenantId)]
  const theirs = await seedSession(beta.tenantId)
  const [stream, beside] = [await listen(mine), await listen(other)]
  const foreign = await listen(theirs, {}, await tokenFor(beta, 'operator'))
  await say({ sessionId: mine, text: 'Hel' }, { sessionId: mine, sequence: 1, text: 'lo' })
  await say({ sessionId: theirs, text: 'of another organization' })
  await say({ sessionId: mine, tenantId: beta.tenantId, text: 'in its name' })
  for (const tenant of [beta, acme]) {
    await admin.query(`select set_config('app.tenant_id', $1, false)`, [tenant.tenantId])
    for (const session of tenant === beta ? [theirs] : [mine, other]) await append(session, 'test.end')
  }
  await until('the end', () => [stream, beside, foreign].every(({ frames }) => frames.at(-1)?.type === 'test.end'))
  const delta = (sequence: number, text: string) => {
    const type = 'llm_text_delta'
    return { id: null, type, data: { type, runId: 'r', nodeId: 'n', data: { call: '1.1', sequence, text } } }
  }
  t.same(stream.frames.slice(0, -1), [delta(0, 'Hel'), delta(1, 'lo')])
  t.same(idsOf(stream.frames), [null, null, 1], 'a frame without a number moves no reader on')
  t.same(idsOf(beside.frames), [1], 'nothing in another session')
  t.same(idsOf(foreign.frames), [1], 'nothing in another organization')
})

t.test('of text that a reader does not take, no more than a little waits', async (t) => {
  const session = await seedSession(acme.tenantId)
  const raw = { once: () => undefined, socket: { destroyed: false } }
  const owner = { tenantId: acme.tenantId, userId: acme.members.operator, expiresAt: Date.now() / 1000 + 60 }
  const { control, close } = openControl({ raw, headers: {} } as never, owner, notifications, Date.now)
  const next = control.watchSession(session)
  let heard = 0
  const stop = notifications.onText(acme.tenantId, session, () => {
    heard += 1
  })
  for (let n = 0; n < 200; n += 1) await say({ sessionId: session, sequence: n, text: 'x' })
  await until('all were heard', () => heard === 200)
  const { texts, changed } = await next()
  t.same([texts.length, texts.at(-1)?.sequence, changed], [64, 63, false])
  stop()
  close()
  t.same(await next(), { changed: false, texts: [] }, 'a stream that ended waits for nothing')
})

t.test('a person has a number of streams, and others have theirs', async (t) => {
  const session = await seedSession(acme.tenantId)
  const token = await tokenFor(acme, 'builder')
  const opened = await Promise.all(count(1, 20).map(() => listen(session, {}, token)))
  t.ok(opened.every(({ status }) => status === 200))
  t.equal((await listen(session, {}, token)).status, 429)
  t.equal((await listen(session, {}, await tokenFor(acme, 'auditor'))).status, 200, 'of the same organization')
  opened[0]!.abort.abort()
  await until('a place is free', async () => (await listen(session, {}, token)).status === 200)
})
