import { readFileSync } from 'node:fs'
import t from 'tap'
import type { TakenRun } from '../../src/db/doors.ts'
import { AppError } from '../../src/errors.ts'
import { verdictOn } from '../../src/worker/failures.ts'
import { type Hold, holdRun } from '../../src/worker/hold.ts'
import { createRunner } from '../../src/worker/runner.ts'
import { startScheduler } from '../../src/worker/scheduler.ts'
import { isStorable, makeStorable } from '../../src/worker/storable.ts'
import { noMcp } from '../support/mcp.ts'
import { until } from '../support/until.ts'

const run = (runId: string): TakenRun => ({ tenantId: 't', runId, sessionId: 's', epoch: 1, seq: 0, takeovers: 0 })
const log = { error: () => undefined, warn: () => undefined, info: () => undefined }
const times = { pollMs: 10, beatMs: 10, silentMs: 1000, sliceMs: 60_000 }

t.test('what jsonb refuses is found in JSON text, and nothing else is', async (t) => {
  for (const good of ['a', '\\u0000', '\\\\u0000', 'C:\\ud800', '😀', '\t"', '\ufffd'])
    t.ok(isStorable(JSON.stringify(good)), good)
  for (const bad of ['\0', 'a\\\0', '\ud800', 'x\udc00y', '\\\\\ud83d']) {
    t.notOk(isStorable(JSON.stringify({ bad })), JSON.stringify(bad))
    t.ok(isStorable(JSON.stringify(makeStorable({ bad }))))
  }
  t.same(makeStorable({ text: 'a\\\0b\ud800' }), { text: 'a\\\ufffdb\ufffd' })
})

t.test('a hold knows the strongest reason, and when effects must end', async (t) => {
  const gentle = holdRun(run('a'), 20)
  gentle.ask('pause')
  gentle.ask('handover')
  t.equal(gentle.asked, 'pause')
  t.notOk(gentle.signal.aborted, 'effects may finish')
  await until('the grace is over', () => gentle.signal.aborted)
  const hard = holdRun(run('b'), 60_000)
  hard.ask('cancel')
  hard.ask('pause')
  t.equal(hard.asked, 'cancel')
  t.ok(hard.signal.aborted, 'effects end at once')
})

t.test('what went wrong decides what becomes of the run', async (t) => {
  for (const code of ['conflict', 'organization_suspended'] as const)
    t.equal(verdictOn(new AppError(code, 'x')), 'lost')
  t.equal(verdictOn(new AppError('database_unavailable', 'x')), 'retry')
  for (const code of ['40P01', '57014', '53200']) t.equal(verdictOn(Object.assign(new Error('x'), { code })), 'retry')
  t.same(verdictOn(new AppError('input_invalid', 'line 3')), { code: 'input_invalid', message: 'line 3' })
  t.match(verdictOn(new Error('/etc/passwd')), { code: 'internal', message: /operator/ })
  t.match(verdictOn(undefined), { code: 'internal' })
})

t.test('the scheduler fills its slots, never more, and takes again when one falls free', async (t) => {
  const queue = ['a', 'b', 'c', 'd', 'e']
  const holds: { hold: Hold; end: () => void }[] = []
  const limits: number[] = []
  const scheduler = startScheduler({
    ...times,
    slots: 2,
    workerId: 'w',
    log,
    doors: {
      takeRuns: async (_, limit) => {
        limits.push(limit)
        return queue.splice(0, limit).map(run)
      },
      beatRuns: async (held) => new Map(held.map((one) => [one.runId, null])),
    },
    start: (one) => {
      const hold = holdRun(one, 20)
      const { promise, resolve } = Promise.withResolvers<void>()
      holds.push({ hold, end: resolve })
      return { done: promise, ask: hold.ask, answered: hold.answered }
    },
  })
  await until('two are held', () => scheduler.held === 2)
  t.same(limits, [2], 'a full worker does not ask')
  holds[0]?.end()
  await until('the next is held', () => holds.length === 3)
  t.equal(scheduler.held, 2)
  const stopped = scheduler.stop()
  await until('they are asked to let go', () => holds[2]?.hold.asked === 'handover')
  for (const { end } of holds) end()
  await stopped
  t.equal(scheduler.held, 0)
  t.same(queue, ['d', 'e'], 'nothing is taken any more')
})

t.test('the scheduler passes on requests and losses, and survives an absent database and a broken run', async (t) => {
  const holds: Hold[] = []
  const answers: (Error | Map<string, 'pause' | 'cancel' | null>)[] = []
  const taken: (Error | TakenRun[])[] = [new Error('the database is away'), [run('a'), run('b')]]
  const warnings: string[] = []
  const scheduler = startScheduler({
    ...times,
    slots: 4,
    workerId: 'w',
    log: {
      ...log,
      warn: (_: unknown, text?: string) => warnings.push(String(text)),
      error: () => warnings.push('dropped'),
    },
    doors: {
      takeRuns: async () => {
        const next = taken.shift() ?? []
        if (next instanceof Error) throw next
        return next
      },
      beatRuns: async () => {
        const next =
          answers.shift() ??
          new Map([
            ['a', null],
            ['b', null],
          ] as const)
        if (next instanceof Error) throw next
        return next
      },
    },
    start: (one) => {
      const hold = holdRun(one, 20)
      holds.push(hold)
      const done = until('asked', () => hold.asked).then(() => Promise.reject(new Error('a bug')))
      return { done, ask: hold.ask, answered: hold.answered }
    },
  })
  await until('both are held', () => holds.length === 2)
  answers.push(new Error('away again'), new Map([['a', 'cancel']] as const))
  scheduler.heed()
  await until('both are let go', () => scheduler.held === 0)
  t.same(
    holds.map((hold) => hold.asked),
    ['cancel', 'lost'],
  )
  t.same(warnings.filter((one) => one.includes('does not answer')).length, 2)
  t.same(warnings.filter((one) => one === 'dropped').length, 2)
  await scheduler.stop()
})

const settings = {
  databaseUrl: 'postgres://nobody@127.0.0.1:1/none',
  filesDirectory: '/tmp',
  keysDirectory: '/tmp',
  model: { baseUrl: undefined, name: undefined, apiKey: undefined, allow: [] },
  mcp: noMcp,
  slots: 1,
  graceMs: 10,
  logLevel: 'silent',
}

t.test('a child that dies drops its runs, and the next run gets a new one', async (t) => {
  const runner = createRunner(settings, 1000)
  const [one, other] = [runner.start(run('a')), runner.start(run('b'))]
  one.ask('pause')
  await t.rejects(one.done)
  await t.rejects(other.done)
  await t.rejects(runner.start(run('c')).done)
  await runner.close()
})

/** Whatever became of the test. */
function killed(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {} // it is gone, as it should be
}

t.test('a child that something holds up is ended, and its runs are dropped', { timeout: 20_000 }, async (t) => {
  const runner = createRunner(settings, 1000, 30)
  const flight = runner.start(run('a'))
  const children = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8').trim().split(' ')
  for (const pid of children) process.kill(Number(pid), 'SIGSTOP')
  t.teardown(() => children.map((pid) => killed(Number(pid))))
  await t.rejects(flight.done, /ended with SIGKILL/)
  await runner.close()
})

t.test('a child that cannot begin drops its runs as well', async (t) => {
  const runner = createRunner(settings, 1000)
  const { execPath } = process
  process.execPath = '/nowhere'
  t.teardown(() => Object.assign(process, { execPath }))
  const refused = runner.start(run('a'))
  await t.rejects(refused.done, { code: 'ENOENT' })
  process.execPath = execPath
  await t.rejects(runner.start(run('b')).done, /ended with 1/, 'the next one begins')
  await runner.close()
})
