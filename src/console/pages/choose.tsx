import { Card, Group, Stack, Text } from '@mantine/core'
import { Link } from 'wouter'
import { Initials } from '../frame/initials.tsx'
import { usePerson } from '../organization.ts'
import { Icon } from '../parts/icons.tsx'
import { Page } from '../parts/page.tsx'
import { Empty } from '../parts/states.tsx'
import { pathTo } from '../paths.ts'
import { roleNames } from '../roles.ts'

/** Where to work today: for people of several organizations, or of none. */
export default function Choose() {
  const { organizations } = usePerson()
  return (
    <Page title={organizations.length > 0 ? 'Choose an organization' : 'Welcome to EngineX'}>
      {organizations.length === 0 ? (
        <Empty icon="members" title="You have no organization to work in">
          Ask an administrator of your organization to add you, or whether it is suspended. Then open this page again.
        </Empty>
      ) : (
        <Stack maw={520}>
          {organizations.map(({ alias, name, roles }) => (
            <Card key={alias} component={Link} href={pathTo('home', { alias })} className="plain-link" padding="md">
              <Group justify="space-between" wrap="nowrap">
                <Group>
                  <Initials name={name} />
                  <Stack gap={0}>
                    <Text fw={650}>{name}</Text>
                    <Text size="sm" c="dimmed">
                      {roleNames(roles)}
                    </Text>
                  </Stack>
                </Group>
                <Icon name="right" />
              </Group>
            </Card>
          ))}
        </Stack>
      )}
    </Page>
  )
}
