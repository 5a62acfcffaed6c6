import { Badge, Box, Button, Card, Group, Stack, Text } from '@mantine/core'
import { useState } from 'react'
import type { SessionEvent } from '../../../features/sessions/schema.ts'
import type { StreamState } from '../../api/stream.ts'
import { Section } from '../../parts/page.tsx'
import { count, humanize } from '../../parts/text.ts'
import { Time } from '../../parts/time.tsx'

interface EventListProps {
  readonly events: readonly SessionEvent[]
  readonly state: StreamState
  /** Nothing more will come. */
  readonly ended: boolean
}

const firstEvents = 60

/** What happens in the session, newest first, as it happens. */
export function EventList({ events, state, ended }: EventListProps) {
  const [shown, setShown] = useState(firstEvents)
  const newest = events.slice(-shown).reverse()
  return (
    <Section title="Events" aside={<Live state={state} ended={ended} />}>
      <Card padding="md">
        <Stack gap={6} role="log" aria-label="Events">
          {events.length === 0 && (
            <Text size="sm" c="dimmed">
              {state === 'live' ? 'Nothing has happened yet.' : 'Waiting for the first event.'}
            </Text>
          )}
          {newest.map((event) => (
            <Event key={event.id} event={event} />
          ))}
        </Stack>
        {events.length > shown && (
          <Button mt="sm" size="xs" variant="default" onClick={() => setShown(shown + 200)}>
            Show {count(Math.min(200, events.length - shown), 'earlier event')}
          </Button>
        )}
      </Card>
    </Section>
  )
}

function Live({ state, ended }: { readonly state: StreamState; readonly ended: boolean }) {
  if (ended) return null
  if (state === 'interrupted')
    return (
      <Badge color="orange" role="status">
        Interrupted, coming back
      </Badge>
    )
  return (
    <Badge color={state === 'live' ? 'pine' : 'gray'} variant="dot" role="status">
      {state === 'live' ? 'Live' : 'Connecting'}
    </Badge>
  )
}

const tones: readonly [RegExp, string][] = [
  [/failed|error/, 'red'],
  [/approval|paused|input_requested|escalation/, 'amber'],
  [/execution|report|session/, 'pine'],
]

function Event({ event }: { readonly event: SessionEvent }) {
  const tone = tones.find(([pattern]) => pattern.test(event.type))?.[1] ?? 'gray'
  const details = detailsOf(event)
  return (
    <Group gap="sm" wrap="nowrap" align="baseline">
      <Text size="xs" c="dimmed" style={{ flexShrink: 0 }}>
        <Time value={event.timestamp} as="clock" />
      </Text>
      <Box
        w={7}
        h={7}
        bg={`${tone}.6`}
        style={{ borderRadius: 7, flexShrink: 0, transform: 'translateY(-1px)' }}
        aria-hidden="true"
      />
      <Text size="sm" className="prose" title={event.type}>
        {names[event.type] ?? humanize(event.type)}
        {event.nodeId && (
          <Text span fw={600} inherit>
            {' '}
            {event.nodeId}
          </Text>
        )}
        {details && (
          <Text span c="dimmed" size="xs">
            {' '}
            {details}
          </Text>
        )}
      </Text>
    </Group>
  )
}

const names: Readonly<Record<string, string>> = {
  session_created: 'Session created',
  execution_started: 'Run started',
  execution_completed: 'Run completed',
  execution_failed: 'Run failed',
  execution_paused: 'Run paused',
  execution_resumed: 'Run resumed',
  execution_cancelled: 'Run cancelled',
  node_loop_started: 'Step begins:',
  node_loop_completed: 'Step done:',
  node_loop_iteration: 'Turn of',
  llm_turn_complete: 'Model answered',
  output_key_set: 'Result set by',
  judge_verdict: 'Results checked of',
  branches_started: 'Goes several ways from',
  branches_joined: 'Ways meet, begun at',
  tool_call_started: 'Tool called by',
  tool_call_completed: 'Tool answered',
  edge_traversed: 'Goes on from',
  approval_requested: 'Asks a person:',
  approval_answered: 'A person answered:',
  approval_decided: 'A person decided:',
  report_written: 'Report written by',
  client_input_requested: 'Asks in the chat:',
  client_input_received: 'Answered in the chat:',
  session_started: 'Session started by',
  task_updated: 'Plan changed by',
}

const silent = /(^|_)id$|Id$|^(call|step|parentStep|fork|branch|nodeType|condition|title|prompt|text)$/

/** Small facts of an event on one line; ids and what is as usual say nothing to people. */
function detailsOf({ data, nodeId }: SessionEvent): string {
  return Object.entries(data)
    .filter(([key, value]) => value !== null && value !== '' && value !== nodeId && !silent.test(key))
    .filter(([, value]) => !Array.isArray(value) || value.length > 0)
    .filter(
      ([key, value]) =>
        value !== true && !((value === 0 || value === 1) && /^(visits|attempt|iteration|toolCalls)$/.test(key)),
    )
    .map(([key, value]) => `${humanize(key).toLowerCase()}: ${textOf(value)}`)
    .join(' · ')
    .slice(0, 400)
}

function textOf(value: unknown): string {
  if (Array.isArray(value)) return value.map(textOf).join(', ')
  if (typeof value !== 'object' || value === null) return String(value)
  const { message } = value as { message?: unknown }
  if (typeof message === 'string') return message
  return Object.values(value)
    .filter((one) => one !== null)
    .map(textOf)
    .join(' ')
}
