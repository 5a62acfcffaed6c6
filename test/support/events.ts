import pg from 'pg'
import { Compile } from 'typebox/compile'
import { eventTypes, frameOf } from '../../src/features/sessions/events.ts'

const validators = new Map(Object.entries(eventTypes).map(([type, { data }]) => [type, Compile(data)]))

/** What is wrong with an event by its schema; nothing when it is right. */
export function faultsOf(type: string, data: unknown): string[] {
  const validator = validators.get(type)
  if (!validator) return [`${type} has no schema: add one to src/features/sessions/events.ts`]
  if (validator.Check(data)) return []
  return [...validator.Errors(data)].map(({ instancePath, message }) => `${type}: data${instancePath} ${message}`)
}

/** Fails the test file unless every event in its database fits its schema; types that begin with `test.` are a test's own. */
export async function assertEvents(adminUrl: string): Promise<void> {
  const client = new pg.Client(adminUrl)
  await client.connect()
  try {
    const { rows } = await client.query<{ type: string; data: string }>(
      `select distinct type, data::text from app.session_events where type not like 'test.%'`,
    )
    const faults = new Set(rows.flatMap(({ type, data }) => faultsOf(type, JSON.parse(data))))
    if (faults.size === 0) return
    console.error(`events that do not fit their schema:\n${[...faults].join('\n')}`)
    process.exitCode = 1 // the tests themselves are over
  } finally {
    await client.end()
  }
}

/** docs/events.schema.json */
export function eventsSchema(): object {
  const frames = Object.entries(eventTypes).map(([type, event]) => [type, frameOf(type, event)])
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Events of a session',
    description:
      'What GET /v1/sessions/{sessionId}/stream sends as data. Printed from src/features/sessions/events.ts.',
    oneOf: frames.map(([type]) => ({ $ref: `#/$defs/${type}` })),
    $defs: Object.fromEntries(frames),
  }
}

/** docs/EVENTS.md */
export function eventsDocument(): string {
  const sections = Object.entries(eventTypes).map(([type, { about, data, fleeting }]) => {
    const required = new Set(data.required ?? [])
    const rows = Object.entries(data.properties).map(
      ([name, schema]) => `| \`${name}\` | ${wordsOf(schema)}${required.has(name) ? '' : ', optional'} |`,
    )
    const table = rows.length > 0 ? `\n\n| data | |\n| --- | --- |\n${rows.join('\n')}` : ' No data.'
    return `### ${type}\n\n${about}${fleeting ? ' Not stored: without an id, and never replayed.' : ''}${table}\n`
  })
  return `${head}\n${sections.join('\n')}`
}

interface Shape {
  readonly type?: string
  readonly enum?: readonly string[]
  readonly format?: string
  readonly maxLength?: number
  readonly description?: string
  readonly items?: Shape
  readonly anyOf?: readonly Shape[]
  readonly properties?: Record<string, Shape>
}

function wordsOf(schema: object): string {
  const { type, enum: values, format, maxLength, items, anyOf, properties } = schema as Shape
  if (values) return values.map((value) => `\`${value}\``).join(', ')
  if (anyOf) return anyOf.map(wordsOf).join(' or ')
  if (items) return `list of ${wordsOf(items)}`
  if (properties) return `{${Object.keys(properties).join(', ')}}`
  if (format) return format
  return maxLength ? `${type}, at most ${maxLength} characters` : `${type}`
}

const head = `# Events

Printed from \`src/features/sessions/events.ts\` by \`npm run generate\`; the exact shapes are in [events.schema.json](events.schema.json).

A session tells what happens in it as events, numbered from 1 without gaps. \`GET /v1/sessions/:sessionId/events?after=\` lists them; \`GET /v1/sessions/:sessionId/stream\` sends them as they come (server-sent events), as \`{id, type, runId, nodeId, data, timestamp}\`. They hold ids, keys and sizes; what people decided on, said or uploaded is behind the ids.

- **Replay.** Every stored event has its number as \`id\`. Come back with \`Last-Event-ID\` (or \`?after=\`), however far behind: nothing is missed and nothing comes twice.
- **Slow readers.** A reader that takes nothing for 5 seconds is closed. Pieces of text that it does not take are dropped.
- **Ends.** A stream ends within a second when the membership, the token or the organization's access ends, and when the server itself hears nothing more from its database. Come back: you are let in again if you still may.
- **Numbers.** 20 streams of one person at a time, 200 of one organization.
`
