import { Button, Group, Stack, Text } from '@mantine/core'
import type { Organization } from '../../features/organizations/schema.ts'
import { useDeed, usePages } from '../api/hooks.ts'
import { deeds, resources } from '../api/resources.ts'
import { usePerson } from '../organization.ts'
import { Confirm } from '../parts/confirm.tsx'
import { CopyId } from '../parts/copy.tsx'
import { Page } from '../parts/page.tsx'
import { Empty, NoPermission, Show } from '../parts/states.tsx'
import { Status } from '../parts/status.tsx'
import { DataTable, More } from '../parts/table.tsx'
import { Time } from '../parts/time.tsx'
import { CreateOrganization } from './platform/create-organization.tsx'

/** The platform admin's page: which organizations there are, never what they hold. */
export default function Platform() {
  const { profile } = usePerson()
  const organizations = usePages(resources.organizations, { enabled: profile.platformAdmin })
  if (!profile.platformAdmin) return <NoPermission detail="This is for platform admins" />
  return (
    <Page title="Organizations" actions={<CreateOrganization />}>
      <Show reading={organizations}>
        {() =>
          organizations.items.length === 0 ? (
            <Empty icon="platform" title="No organization yet">
              Create the first one with the e-mail address of its first administrator.
            </Empty>
          ) : (
            <DataTable
              label="Organizations"
              noun="organization"
              rows={organizations.items}
              footer={<More pages={organizations} />}
              columns={[
                {
                  key: 'name',
                  label: 'Organization',
                  cell: ({ name, alias }) => (
                    <Stack gap={0}>
                      <Text size="sm" fw={600}>
                        {name}
                      </Text>
                      <Text size="xs" c="dimmed">
                        {alias}
                      </Text>
                    </Stack>
                  ),
                },
                { key: 'status', label: 'Status', cell: ({ status }) => <Status value={status} /> },
                { key: 'region', label: 'Region', cell: ({ region }) => region },
                { key: 'id', label: 'Id', cell: ({ id }) => <CopyId id={id} /> },
                { key: 'at', label: 'Created', cell: ({ createdAt }) => <Time value={createdAt} as="date" /> },
                {
                  key: 'actions',
                  label: '',
                  align: 'right',
                  cell: (organization) => <SwitchStatus organization={organization} />,
                },
              ]}
            />
          )
        }
      </Show>
      <Text size="sm" c="dimmed">
        You see that organizations exist, not what they hold.
      </Text>
    </Page>
  )
}

function SwitchStatus({ organization: { id, name, alias, status } }: { readonly organization: Organization }) {
  const verb = status === 'active' ? 'suspend' : 'reactivate'
  const act = useDeed((api) => api.post<Organization>(deeds.organization(id, verb)), ['/v1/platform'])
  return (
    <Group justify="flex-end">
      <Confirm
        title={verb === 'suspend' ? `Suspend ${name}?` : `Reactivate ${name}?`}
        verb={verb === 'suspend' ? `Suspend ${alias}` : `Reactivate ${alias}`}
        color={verb === 'suspend' ? 'red.9' : 'pine'}
        pending={act.isPending}
        error={act.error}
        onConfirm={() => act.mutateAsync(undefined)}
        trigger={(open) => (
          <Button
            size="compact-sm"
            variant="light"
            color={verb === 'suspend' ? 'red' : 'pine'}
            onClick={open}
            aria-label={`${verb === 'suspend' ? 'Suspend' : 'Reactivate'} ${name}`}
          >
            {verb === 'suspend' ? 'Suspend' : 'Reactivate'}
          </Button>
        )}
      >
        {verb === 'suspend'
          ? `Nobody of ${name} (${alias}) can do anything from the next moment on. Nothing is deleted; reactivating brings all of it back.`
          : `The people of ${name} (${alias}) can work again at once.`}
      </Confirm>
    </Group>
  )
}
