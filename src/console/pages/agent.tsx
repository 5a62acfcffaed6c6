import { Alert, Button, Card, Stack, Text } from '@mantine/core'
import { Link } from 'wouter'
import type { AgentDetail } from '../../features/agents/schema.ts'
import { useDeed, useResource } from '../api/hooks.ts'
import { deeds, resources } from '../api/resources.ts'
import { useCan, useTo } from '../organization.ts'
import { Confirm } from '../parts/confirm.tsx'
import { Icon } from '../parts/icons.tsx'
import { Page, Section } from '../parts/page.tsx'
import { Show } from '../parts/states.tsx'
import { Status } from '../parts/status.tsx'
import { Versions } from './agent/versions.tsx'
import { type Graph, Workflow } from './agent/workflow.tsx'

/** One agent: what it does, how it goes, and its versions. */
export default function Agent({ name }: { readonly name: string }) {
  const to = useTo()
  const agent = useResource(resources.agent(name))
  return (
    <Page
      title={name}
      back={['Agents', to('agents', {})]}
      aside={agent.data && <Status value={agent.data.status} />}
      actions={agent.data && <Actions agent={agent.data} />}
    >
      <Show reading={agent} lines={8}>
        {({ description, status, graph, activeVersion }) => (
          <Stack gap="lg">
            {status === 'archived' && (
              <Alert color="gray" icon={<Icon name="alert" />} title="This agent is archived">
                No new session can be started with it. Promote a version to use it again.
              </Alert>
            )}
            <Card>
              <Text className="prose" size="sm" maw={900}>
                {description}
              </Text>
            </Card>
            <Versions name={name} />
            {activeVersion && (
              <Section title={`Workflow of ${activeVersion}`}>
                <Workflow graph={graph as unknown as Graph} />
              </Section>
            )}
          </Stack>
        )}
      </Show>
    </Page>
  )
}

function Actions({ agent: { name, status, activeVersion } }: { readonly agent: AgentDetail }) {
  const to = useTo()
  const can = useCan()
  const archive = useDeed((api, agent: string) => api.post<AgentDetail>(deeds.archive(agent)), ['/v1/agents'])
  return (
    <>
      <Button component={Link} href={to('sessions', {}, { agent: name })} variant="default">
        Sessions
      </Button>
      {can('agents:write') && (
        <Button component={Link} href={to('deploy', {}, { agent: name })} variant="default">
          Deploy a version
        </Button>
      )}
      {can('agents:write') && status === 'active' && (
        <Confirm
          title={`Archive ${name}?`}
          verb="Archive"
          pending={archive.isPending}
          error={archive.error}
          onConfirm={() => archive.mutateAsync(name)}
          trigger={(open) => (
            <Button variant="default" onClick={open}>
              Archive
            </Button>
          )}
        >
          No new session of {name} can be started. Sessions that run go on; promoting a version brings it back.
        </Confirm>
      )}
      {can('runs:write') && status === 'active' && activeVersion && (
        <Button component={Link} href={to('startSession', { name })} leftSection={<Icon name="play" size={16} />}>
          Start a session
        </Button>
      )}
    </>
  )
}
