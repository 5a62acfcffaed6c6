import { Button, Text } from '@mantine/core'
import { Link, useSearchParams } from 'wouter'
import type { Session } from '../../features/sessions/schema.ts'
import { usePages } from '../api/hooks.ts'
import { resources } from '../api/resources.ts'
import { useCan, useTo } from '../organization.ts'
import { Actor } from '../parts/actor.tsx'
import { Page } from '../parts/page.tsx'
import { Empty, Show } from '../parts/states.tsx'
import { Status } from '../parts/status.tsx'
import { type Column, DataTable, More } from '../parts/table.tsx'
import { duration } from '../parts/text.ts'
import { Time } from '../parts/time.tsx'

/** All sessions, newest first; `?agent=` keeps one agent's. */
export default function Sessions() {
  const to = useTo()
  const can = useCan()
  const [search] = useSearchParams()
  const agent = search.get('agent') ?? undefined
  const sessions = usePages(resources.sessions(agent ? { agent } : {}), { everyMs: 10_000 })
  const start = (
    <Button component={Link} href={agent ? to('startSession', { name: agent }) : to('agents', {})}>
      Start a session
    </Button>
  )
  return (
    <Page
      title={agent ? `Sessions of ${agent}` : 'Sessions'}
      {...(agent ? { back: ['All sessions', to('sessions', {})] as const } : {})}
      actions={can('runs:write') && start}
    >
      <Show reading={sessions}>
        {() =>
          sessions.items.length === 0 ? (
            <Empty icon="play" title="No session yet" action={can('runs:write') && start}>
              A session is one piece of work with an agent. Pick an agent and give it its input.
            </Empty>
          ) : (
            <DataTable
              label="Sessions"
              noun="session"
              rows={sessions.items}
              footer={<More pages={sessions} />}
              columns={columns((id) => to('session', { sessionId: id }))}
            />
          )
        }
      </Show>
    </Page>
  )
}

function columns(path: (id: string) => string): Column<Session>[] {
  return [
    {
      key: 'title',
      label: 'Session',
      cell: ({ id, title }) => (
        <Text component={Link} href={path(id)} className="plain-link" fw={600} size="sm">
          {title}
        </Text>
      ),
    },
    {
      key: 'agent',
      label: 'Agent',
      cell: ({ agent, version }) => (
        <>
          {agent}{' '}
          <Text span c="dimmed" size="xs">
            {version}
          </Text>
        </>
      ),
    },
    { key: 'status', label: 'Status', cell: ({ run }) => <Status value={run.status} /> },
    { key: 'node', label: 'Step', cell: ({ run }) => run.currentNode ?? '–' },
    {
      key: 'took',
      label: 'Took',
      align: 'right',
      cell: ({ run }) =>
        run.finishedAt ? duration(Date.parse(run.finishedAt) - Date.parse(run.startedAt ?? run.queuedAt)) : '–',
    },
    { key: 'by', label: 'Started by', cell: ({ createdBy }) => <Actor value={createdBy} /> },
    { key: 'at', label: 'Started', cell: ({ createdAt }) => <Time value={createdAt} /> },
  ]
}
