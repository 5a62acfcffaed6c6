import { pino } from 'pino'
import t from 'tap'
import { memberScope, seedTenant, testDatabase } from '../support/database.ts'

// What PostgreSQL says of a row that it refuses holds the row. It must not reach the log by way of the error.
const { admin, database, doors } = await testDatabase(t)
const acme = await seedTenant(doors, 'acme')
const sentinel = 'sentinel7f3a'
const scope = memberScope(acme, 'builder', 'agents:write')

/** What the log of the API holds after this failure, causes included. */
async function logged(failing: Promise<unknown>): Promise<string> {
  const lines: string[] = []
  const log = pino({ level: 'error' }, { write: (line: string) => lines.push(line) })
  await failing.then(
    () => t.fail('it should fail'),
    (err) => log.error({ err }, 'unexpected failure'),
  )
  return lines.join('\n')
}

await admin.query(`alter table app.agents add constraint short check (length(name) < 40)`)

t.test('37 values of rows stand in no error', async (t) => {
  const write = (text: string, values: unknown[]) => database.write(scope, { text, values })
  await write('insert into agents (name) values ($1)', [sentinel])
  const long = `${sentinel}-${'x'.repeat(60)}`
  for (const [what, text, value] of [
    ['a check', 'insert into agents (name) values ($1)', long],
    ['a duplicate', 'insert into agents (name) values ($1)', sentinel],
    [
      'text that is no JSON',
      `insert into audit_entries (action, details) values ('x', ($1::text)::jsonb)`,
      `{"a": ${sentinel}}`,
    ],
  ] as const) {
    const line = await logged(write(text, [value]))
    t.match(line, /"code":"2/, `${what} is told with its code`)
    t.notMatch(line, sentinel, `${what} without the value`)
    const inside = await logged(database.transaction(scope, (send) => send({ text, values: [value] })))
    t.notMatch(inside, sentinel, `${what}, in a transaction`)
  }
})
