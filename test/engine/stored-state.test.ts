import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type Input, type Memory, next, pendingEffects } from '../../src/engine/machine.ts'
import { readState } from '../../src/engine/stored-state.ts'
import { packageOf, review } from './packages.ts'
import { answerTo, done, set, turn, type World } from './play.ts'

// Checkpoints of the first release, as its own machine wrote them, one after each step of a run.
const file = join(import.meta.dirname, 'fixtures/states-0.1.json')
const stored = JSON.parse(readFileSync(file, 'utf8')) as { state: unknown; memory: Memory; calls: unknown }[]
const pkg = packageOf(review())
const world: World = { tool: () => done({ rows: [1, 2], note: 'n' }), model: () => turn(set('text', 'hello')) }

for (const [index, { state, memory, calls }] of stored.entries()) {
  t.test(`checkpoint ${index + 1} of release 0.1 asks for the same, and goes on to the same end`, async (t) => {
    const effects = pendingEffects(pkg, readState(state), memory)
    t.same(
      effects.map((effect) => [effect.kind, effect.call]),
      calls,
    )
    let now = readState(state)
    let held = memory
    for (let open = effects; open.length > 0; open = pendingEffects(pkg, now, held)) {
      const input: Input = answerTo(open[0]!, world)
      const last = next(pkg, now, held, input)
      now = readState(JSON.parse(JSON.stringify(last.state)))
      held = { ...held, ...last.writes }
    }
    t.equal(now.status, 'completed')
    t.match(held, { text: 'hello', check: { decision: 'approve' } })
  })
}

t.test('a state of this release comes back as it was', async (t) => {
  const { state } = next(pkg, readState({ status: 'new' }), {}, { kind: 'start', input: { question: 'why?' } })
  t.same(readState(JSON.parse(JSON.stringify(state))), state)
})
