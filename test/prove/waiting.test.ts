import t from 'tap'
import { playWaiting } from './waiting-play.ts'

// The short form of waiting.ts: fewer runs, the same demands, but for the size of a process on a busy machine.

t.test('runs that wait for people cost nothing', async (t) => {
  const found = await playWaiting(t, 2000, 2)
  t.equal(found.heldWhileWaiting, 0, 'no worker holds any')
  // PostgreSQL tells late of what was read, so a few rows of earlier work may be among these; it would be all that wait.
  t.ok(found.after.rowsPerLook < found.waiting / 100, `${found.after.rowsPerLook} rows a look`)
  t.same(found.oneAnswered, { completed: true, stillWaiting: 2000 }, 'one of them goes on')
})
