import { Button, Card, Group, SimpleGrid, Stack, Text } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { Link } from 'wouter'
import type { AgentVersion, Template } from '../../features/agents/schema.ts'
import { useDeed, usePages, useResource } from '../api/hooks.ts'
import { deeds, resources } from '../api/resources.ts'
import { useCan, useTo } from '../organization.ts'
import { Icon } from '../parts/icons.tsx'
import { Page, Section } from '../parts/page.tsx'
import { Empty, ErrorState, Show } from '../parts/states.tsx'
import { Status } from '../parts/status.tsx'
import { More } from '../parts/table.tsx'

/** The catalog: this organization's agents, and the templates that ship with EngineX. */
export default function Agents() {
  const to = useTo()
  const can = useCan()
  const agents = usePages(resources.agents)
  return (
    <Page
      title="Agents"
      actions={
        can('agents:write') && (
          <Button component={Link} href={to('deploy', {})} leftSection={<Icon name="upload" size={16} />}>
            Deploy a package
          </Button>
        )
      }
    >
      <Show reading={agents}>
        {() =>
          agents.items.length === 0 ? (
            <Empty icon="agents" title="No agent yet">
              {can('agents:write')
                ? 'Deploy a template below, or upload a package of your own.'
                : 'A builder of your organization deploys agents. They show here.'}
            </Empty>
          ) : (
            <>
              <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>
                {agents.items.map(({ name, description, status, activeVersion }) => (
                  <Card key={name}>
                    <Stack gap="sm" h="100%" justify="space-between">
                      <Stack gap={6}>
                        <Group justify="space-between" wrap="nowrap">
                          <Text component={Link} href={to('agent', { name })} className="plain-link" fw={650} truncate>
                            {name}
                          </Text>
                          {status === 'archived' ? (
                            <Status value="archived" />
                          ) : (
                            <Text size="sm" c="dimmed">
                              {activeVersion}
                            </Text>
                          )}
                        </Group>
                        <Text size="sm" c="dimmed" lineClamp={4}>
                          {description}
                        </Text>
                      </Stack>
                      <Group gap="xs">
                        {can('runs:write') && status === 'active' && activeVersion && (
                          <Button
                            component={Link}
                            href={to('startSession', { name })}
                            size="xs"
                            aria-label={`Start a session with ${name}`}
                          >
                            Start a session
                          </Button>
                        )}
                        <Button
                          component={Link}
                          href={to('agent', { name })}
                          size="xs"
                          variant="default"
                          aria-label={`Details of ${name}`}
                        >
                          Details
                        </Button>
                      </Group>
                    </Stack>
                  </Card>
                ))}
              </SimpleGrid>
              <More pages={agents} />
            </>
          )
        }
      </Show>
      {can('agents:write') && <Templates deployed={agents.items.map(({ name }) => name)} />}
    </Page>
  )
}

function Templates({ deployed }: { readonly deployed: readonly string[] }) {
  const templates = useResource(resources.templates)
  return (
    <Section title="Templates">
      <Show reading={templates} lines={2}>
        {({ items }) => (
          <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>
            {items.map((template) => (
              <TemplateCard key={template.name} template={template} deployed={deployed.includes(template.name)} />
            ))}
          </SimpleGrid>
        )}
      </Show>
    </Section>
  )
}

function TemplateCard({ template, deployed }: { readonly template: Template; readonly deployed: boolean }) {
  const deploy = useDeed((api, name: string) => api.post<AgentVersion>(deeds.deployTemplate(name)), ['/v1/agents'])
  const announce = ({ agent, version }: AgentVersion) =>
    notifications.show({ title: `${agent} ${version} is deployed`, message: 'It can be started at once.' })
  return (
    <Card>
      <Stack gap="sm" h="100%" justify="space-between">
        <Stack gap={6}>
          <Group justify="space-between">
            <Text fw={650}>{template.name}</Text>
            <Text size="sm" c="dimmed">
              {template.version}
            </Text>
          </Group>
          <Text size="sm" c="dimmed" lineClamp={4}>
            {template.description}
          </Text>
          {template.needsModel && (
            <Text size="xs" c="dimmed">
              Needs a model.
            </Text>
          )}
        </Stack>
        {deploy.error && <ErrorState error={deploy.error} />}
        <Button
          size="xs"
          variant="light"
          w="fit-content"
          loading={deploy.isPending}
          aria-label={`Deploy ${template.name}`}
          onClick={() => deploy.mutate(template.name, { onSuccess: announce })}
        >
          {deployed ? 'Deploy again' : 'Deploy'}
        </Button>
      </Stack>
    </Card>
  )
}
