import { pino } from 'pino'
import { Database } from '../../src/db/database.ts'
import { Doors } from '../../src/db/doors.ts'
import { fireDue } from '../../src/worker/fire-timer.ts'
import { startTimer } from '../../src/worker/timer.ts'

// The timers of a worker in a process of their own, so that a test can kill it at any moment.
const log = pino({ level: 'silent' })
const database = await new Database({
  url: process.argv[2]!,
  applicationName: 'timers',
  shared: 0,
  exclusive: 4,
}).start()
const doors = new Doors(database)
startTimer({ doors, fire: (due) => fireDue({ database, doors, log }, due), pollMs: 100, log })
