import { type Fault, fault } from './fault.ts'

const starter = 'test/db/starter.test.ts'
const supervisor = 'test/features/supervisor.test.ts'
const children = 'test/features/children.test.ts'
const messages = 'test/features/messages.test.ts'
const readers = 'test/features/stream-readers.test.ts'
const supervisorSql = 'sql/migrations/0016_supervisor.sql'
const notifications = 'src/db/notifications.ts'
const sessions = 'src/features/sessions/children.ts'

/** What keeps chats, supervisors and streams to what their people may do and see. */
export const chatFaults: readonly Fault[] = [
  fault('nobody asks what the starter of a run may do', starter, /whoever lost the right meanwhile/, [
    supervisorSql,
    `  if v_granted is not true then raise exception 'the starter of the run may not' using errcode = 'TN405'; end if;\n`,
    '',
  ]),
  fault("a run does everything in a person's name", starter, /reads and starts, as itself, and nothing else/, [
    supervisorSql,
    `\n     and p_permission in ('runs:read', 'runs:write', 'agents:read', 'reports:read')\n`,
    '\n',
  ]),
  fault('a supervisor reaches what others started', supervisor, /or was started by others/, [
    sessions,
    `  if (!found) throw notFound('session')\n`,
    '  if (!found) return\n',
  ]),
  fault('a repeated call starts a session again', children, /starts nothing twice/, [
    sessions,
    'if (known) return known.session_id',
    'if (known) await Promise.resolve()',
  ]),
  fault('sessions start sessions without end', supervisor, /trees of sessions stay small/, [
    sessions,
    'const maxDepth = 2',
    'const maxDepth = 9',
  ]),
  fault('a question of another session is answered', messages, /a question of another session/, [
    'src/features/messages/service.ts',
    'if (asked?.session_id === sessionId) return',
    'if (asked) return',
  ]),
  fault('messages that nobody protected', 'test/isolation/catalog.test.ts', /messages belongs to tenants/, [
    'sql/migrations/0015_messages.sql',
    `select app.protect('app.messages', 'select');`,
    '',
  ]),
  fault(
    "another organization's text in a stream",
    readers,
    /what a model is writing arrives/,
    [notifications, 'const event = `', 'const event = sessionId || `'],
    [notifications, 'this.#texts.emit(`', 'this.#texts.emit(delta.sessionId || `'],
  ),
  fault('a stream that hears nothing stays open', readers, /when the process hears nothing any more/, [
    'src/api/streams.ts',
    '    notifications.onLost(end),\n',
    '',
  ]),
]
