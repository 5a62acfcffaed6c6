import { Alert, Anchor, Button, Card, Grid, Group, Stack, Text } from '@mantine/core'
import { Link } from 'wouter'
import type { SessionDetail } from '../../features/sessions/schema.ts'
import { useResource } from '../api/hooks.ts'
import { files, resources } from '../api/resources.ts'
import { useSessionEvents } from '../api/use-events.ts'
import { useCan, useTo } from '../organization.ts'
import { Actor } from '../parts/actor.tsx'
import { CopyId } from '../parts/copy.tsx'
import { Icon } from '../parts/icons.tsx'
import { Page, Section } from '../parts/page.tsx'
import { ErrorState, Show } from '../parts/states.tsx'
import { Status } from '../parts/status.tsx'
import { bytes, humanize } from '../parts/text.ts'
import { Time } from '../parts/time.tsx'
import { useDownload } from '../parts/use-download.ts'
import { Value } from '../parts/value.tsx'
import { Chat } from './session/chat.tsx'
import { EventList } from './session/event-list.tsx'
import { RunActions } from './session/run-actions.tsx'
import { Steps } from './session/steps.tsx'

/** One piece of work, live: what it waits for, its steps, its events, what it left. */
export default function Session({ sessionId }: { readonly sessionId: string }) {
  const to = useTo()
  const session = useResource(resources.session(sessionId))
  const { data } = session
  return (
    <Page
      title={data?.title ?? 'Session'}
      back={['Sessions', to('sessions', {})]}
      aside={data && <Status value={data.run.status} />}
      actions={data && <RunActions session={data} />}
    >
      <Show reading={session} lines={8}>
        {(detail) => <Detail session={detail} />}
      </Show>
    </Page>
  )
}

function Detail({ session }: { readonly session: SessionDetail }) {
  const to = useTo()
  const { events, writing, state, refusal } = useSessionEvents(session.id)
  const { run, agent, version, createdAt, createdBy } = session
  return (
    <Stack gap="lg">
      <Group gap="lg" c="dimmed" fz="sm">
        <span>
          <Anchor component={Link} href={to('agent', { name: agent })} size="sm">
            {agent}
          </Anchor>{' '}
          {version}
        </span>
        <span>
          started <Time value={createdAt} /> by <Actor value={createdBy} />
        </span>
        <CopyId id={session.id} label="session" />
      </Group>
      {run.error && (
        <Alert color="red" icon={<Icon name="alert" />} title={`The run failed: ${run.error.code}`}>
          <Text size="sm" className="prose">
            {run.error.message}
          </Text>
        </Alert>
      )}
      <Pending sessionId={session.id} />
      <Chat sessionId={session.id} writing={writing} />
      <Reports sessionId={session.id} />
      <Grid gap="lg">
        <Grid.Col span={{ base: 12, md: 5 }}>
          <Section title="Steps">
            <Steps runId={run.id} ended={run.finishedAt !== null} />
          </Section>
        </Grid.Col>
        <Grid.Col span={{ base: 12, md: 7 }}>
          {refusal ? (
            <ErrorState error={refusal} title="The events cannot be followed" />
          ) : (
            <EventList events={events} state={state} ended={run.finishedAt !== null} />
          )}
        </Grid.Col>
      </Grid>
      <Input session={session} />
    </Stack>
  )
}

function Pending({ sessionId }: { readonly sessionId: string }) {
  const to = useTo()
  const can = useCan()
  const { data } = useResource(resources.approvals({ sessionId, status: 'pending' }), { everyMs: 30_000 })
  return data?.items.map(({ id, title, requestedAt }) => (
    <Alert key={id} color="amber" icon={<Icon name="inbox" />} title={title}>
      <Group justify="space-between">
        <Text size="sm">
          The run waits for a decision; asked <Time value={requestedAt} />.
        </Text>
        <Button component={Link} href={to('approval', { approvalId: id })} size="sm">
          {can('approvals:write') ? 'Review and decide' : 'Look at it'}
        </Button>
      </Group>
    </Alert>
  ))
}

function Reports({ sessionId }: { readonly sessionId: string }) {
  const to = useTo()
  const { data } = useResource(resources.reports({ sessionId }))
  if (!data || data.items.length === 0) return null
  return (
    <Section title="Reports">
      {data.items.map(({ id, title, createdAt }) => (
        <Card key={id} padding="md">
          <Group justify="space-between">
            <Group gap="sm">
              <Icon name="report" />
              <Text fw={600}>{title}</Text>
              <Text size="sm" c="dimmed">
                <Time value={createdAt} />
              </Text>
            </Group>
            <Button component={Link} href={to('report', { reportId: id })} size="sm" variant="light">
              Read the report
            </Button>
          </Group>
        </Card>
      ))}
    </Section>
  )
}

function Input({ session }: { readonly session: SessionDetail }) {
  const { download, pending } = useDownload()
  const hasValues = Object.keys(session.input).length > 0
  if (!hasValues && session.files.length === 0) return null
  return (
    <Section title="Input">
      {session.files.length > 0 && (
        <Group gap="sm">
          {session.files.map(({ name, bytes: size }) => {
            const path = files.input(session.id, name)
            return (
              <Button
                key={name}
                variant="default"
                size="sm"
                leftSection={<Icon name="download" size={16} />}
                loading={pending === path}
                onClick={() => void download(path, `${name}.csv`)}
              >
                {humanize(name)} · {bytes(size)}
              </Button>
            )
          })}
        </Group>
      )}
      {hasValues && <Value label="Input" value={session.input} />}
    </Section>
  )
}
