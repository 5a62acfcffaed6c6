import { Group, Stack, Text } from '@mantine/core'
import { usePages } from '../api/hooks.ts'
import { resources } from '../api/resources.ts'
import { Initials } from '../frame/initials.tsx'
import { useCan } from '../organization.ts'
import { Page } from '../parts/page.tsx'
import { NoPermission, Show } from '../parts/states.tsx'
import { Status } from '../parts/status.tsx'
import { DataTable, More } from '../parts/table.tsx'
import { Time } from '../parts/time.tsx'
import { roleNames } from '../roles.ts'

/** Who belongs to the organization, as EngineX has seen them. */
export default function Members() {
  const can = useCan()
  const members = usePages(resources.members, { enabled: can('members:read') })
  if (!can('members:read')) return <NoPermission detail="Members are shown to administrators and auditors" />
  return (
    <Page title="Members">
      <Show reading={members}>
        {() => (
          <DataTable
            label="Members"
            noun="member"
            rows={members.items}
            footer={<More pages={members} />}
            columns={[
              {
                key: 'name',
                label: 'Member',
                cell: ({ name, email, userId }) => (
                  <Group gap="sm" wrap="nowrap">
                    <Initials name={name ?? email ?? '?'} round />
                    <Stack gap={0}>
                      <Text size="sm" fw={600}>
                        {name ?? email ?? userId}
                      </Text>
                      {name && (
                        <Text size="xs" c="dimmed">
                          {email}
                        </Text>
                      )}
                    </Stack>
                  </Group>
                ),
              },
              { key: 'roles', label: 'Roles', cell: ({ roles }) => roleNames(roles) },
              { key: 'status', label: 'Status', cell: ({ status }) => <Status value={status} /> },
              {
                key: 'seen',
                label: 'Last seen',
                cell: ({ lastSeenAt }) => (lastSeenAt ? <Time value={lastSeenAt} /> : 'Never'),
              },
            ]}
          />
        )}
      </Show>
      <Text size="sm" c="dimmed">
        A person shows here after their first visit. Joining and leaving is done in the sign-in service.
      </Text>
    </Page>
  )
}
