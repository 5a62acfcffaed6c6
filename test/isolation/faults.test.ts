import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'
import { faults } from './all-faults.ts'

// The short form of `npm run prove:mutants`: every fault can still be planted, so the long form proves what it says.
for (const { name, edits, run } of faults) {
  t.test(name, async (t) => {
    t.ok(run === 'tsc' || existsSync(run), `${run} exists`)
    for (const { file, from, to } of edits) {
      t.equal(readFileSync(file, 'utf8').split(from).length, 2, `${file} holds the defence exactly once`)
      t.not(from, to)
    }
  })
}

t.test('there are enough of them, each under its own name', async (t) => {
  t.ok(faults.length >= 20)
  t.equal(new Set(faults.map(({ name }) => name)).size, faults.length)
})
