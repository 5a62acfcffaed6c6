import t from 'tap'
import { play } from './takeover-play.ts'
import { perRun } from './takeover-stage.ts'

// The short form of takeover.ts: fewer runs, a few seconds of disturbance, and connections that are cut off one by one
// instead of a restart, since other tests use the same PostgreSQL.

t.test('whatever happens to workers and connections, every run ends and every effect happens once', async (t) => {
  const { figures, faults } = await play(t, {
    seed: 7,
    runs: 12,
    tenants: 3,
    disturbedMs: 8000,
    pauseMs: [500, 1500],
    stopMs: [500, 2000],
    effectMs: 300,
    log: (text) => t.comment(text),
  })
  t.comment(JSON.stringify(figures))
  t.same(faults, [])
  t.equal(figures.effects, figures.runs * perRun.effects, 'every effect under one key of its own')
  t.ok(figures.runs >= 12)
  t.ok(
    figures.drains.every(({ code }) => code === 0),
    'SIGTERM ends a worker in good order',
  )
})
