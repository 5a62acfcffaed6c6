import { Button, Card, Group, SimpleGrid, Stack, Text } from '@mantine/core'
import { Link } from 'wouter'
import type { Session } from '../../features/sessions/schema.ts'
import { useResource } from '../api/hooks.ts'
import { resources } from '../api/resources.ts'
import { useCan, usePerson, useTo } from '../organization.ts'
import { Page, Section } from '../parts/page.tsx'
import { Empty, Show } from '../parts/states.tsx'
import { Status } from '../parts/status.tsx'
import { count } from '../parts/text.ts'
import { Time } from '../parts/time.tsx'

const pollMs = 10_000
const active = new Set(['queued', 'running', 'waiting', 'paused'])

/** What waits for me, what runs, what failed. */
export default function Home() {
  const { profile } = usePerson()
  const to = useTo()
  const can = useCan()
  const sessions = useResource(resources.sessions({ limit: 100 }), { everyMs: pollMs })
  const firstName = profile.name?.split(' ')[0]
  const start = (
    <Button component={Link} href={to('agents', {})}>
      Start a session
    </Button>
  )
  return (
    <Page title={firstName ? `Hello, ${firstName}` : 'Home'} actions={can('runs:write') && start}>
      <Waiting />
      <Show reading={sessions}>
        {({ items }) => {
          if (items.length === 0)
            return (
              <Empty icon="play" title="No session yet" action={can('runs:write') && start}>
                A session is one piece of work with an agent. Pick an agent and give it its input.
              </Empty>
            )
          const running = items.filter(({ run }) => active.has(run.status))
          const failed = items.filter(({ run }) => run.status === 'failed')
          return (
            <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="lg">
              <Section title="Runs now" more={['All sessions', to('sessions', {})]}>
                <Sessions sessions={running} empty="Nothing runs at the moment." />
              </Section>
              <Section title="Failed lately">
                <Sessions sessions={failed} empty="Nothing has failed. Good." />
              </Section>
            </SimpleGrid>
          )
        }}
      </Show>
      <LatestReports />
    </Page>
  )
}

function Waiting() {
  const to = useTo()
  const can = useCan()
  const approvals = useResource(resources.approvals({ status: 'pending', limit: 20 }), { everyMs: pollMs })
  const title = can('approvals:write') ? 'Waits for you' : 'Waits for a decision'
  return (
    <Section title={title} more={['All approvals', to('approvals', {})]}>
      <Show reading={approvals} lines={2}>
        {({ items }) =>
          items.length === 0 ? (
            <Card>
              <Text c="dimmed" size="sm">
                No approval waits. When a run needs a person, it shows here.
              </Text>
            </Card>
          ) : (
            <Stack gap="sm">
              {items.map((approval) => (
                <Card key={approval.id} padding="md">
                  <Group justify="space-between">
                    <Stack gap={2}>
                      <Text fw={600}>{approval.title}</Text>
                      <Text size="sm" c="dimmed">
                        {approval.agent} · asked <Time value={approval.requestedAt} />
                      </Text>
                    </Stack>
                    <Button
                      component={Link}
                      href={to('approval', { approvalId: approval.id })}
                      variant={can('approvals:write') ? 'filled' : 'default'}
                      aria-label={`${can('approvals:write') ? 'Review and decide' : 'Look at it'}: ${approval.title}`}
                    >
                      {can('approvals:write') ? 'Review and decide' : 'Look at it'}
                    </Button>
                  </Group>
                </Card>
              ))}
            </Stack>
          )
        }
      </Show>
    </Section>
  )
}

function Sessions({ sessions, empty }: { readonly sessions: readonly Session[]; readonly empty: string }) {
  const to = useTo()
  const shown = sessions.slice(0, 6)
  return (
    <Card padding="md">
      <Stack gap="sm">
        {shown.length === 0 && (
          <Text c="dimmed" size="sm">
            {empty}
          </Text>
        )}
        {shown.map(({ id, title, agent, run, createdAt }) => (
          <Group key={id} justify="space-between" wrap="nowrap" gap="sm">
            <Stack gap={0} miw={0}>
              <Text component={Link} href={to('session', { sessionId: id })} className="plain-link" fw={550} truncate>
                {title}
              </Text>
              <Text size="xs" c="dimmed" truncate>
                {agent} · <Time value={createdAt} />
                {run.error && ` · ${run.error.message}`}
              </Text>
            </Stack>
            <Status value={run.status} />
          </Group>
        ))}
        {sessions.length > shown.length && (
          <Text size="xs" c="dimmed">
            and {count(sessions.length - shown.length, 'more session')}
          </Text>
        )}
      </Stack>
    </Card>
  )
}

function LatestReports() {
  const to = useTo()
  const { data } = useResource(resources.reports({ limit: 20 }), { everyMs: pollMs })
  if (!data || data.items.length === 0) return null
  return (
    <Section title="Latest reports" more={['All reports', to('reports', {})]}>
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>
        {data.items.slice(0, 3).map((report) => (
          <Card key={report.id} padding="md">
            <Text
              component={Link}
              href={to('report', { reportId: report.id })}
              className="plain-link"
              fw={600}
              truncate
            >
              {report.title}
            </Text>
            <Text size="xs" c="dimmed">
              {report.agent} · <Time value={report.createdAt} />
            </Text>
          </Card>
        ))}
      </SimpleGrid>
    </Section>
  )
}
