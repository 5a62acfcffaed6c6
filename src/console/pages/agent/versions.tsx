import { Badge, Button, Group, Text } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import type { AgentVersion } from '../../../features/agents/schema.ts'
import { useDeed, usePages } from '../../api/hooks.ts'
import { deeds, files, resources } from '../../api/resources.ts'
import { useCan } from '../../organization.ts'
import { Actor } from '../../parts/actor.tsx'
import { CopyId } from '../../parts/copy.tsx'
import { Section } from '../../parts/page.tsx'
import { ErrorState, Show } from '../../parts/states.tsx'
import { type Column, DataTable, More } from '../../parts/table.tsx'
import { bytes } from '../../parts/text.ts'
import { Time } from '../../parts/time.tsx'
import { useDownload } from '../../parts/use-download.ts'

/** Every version that was deployed; one is active, any can be made so. */
export function Versions({ name }: { readonly name: string }) {
  const can = useCan()
  const versions = usePages(resources.agentVersions(name))
  const { download, pending } = useDownload()
  const promote = useDeed(
    (api, version: string) => api.post<AgentVersion>(deeds.promote(name, version)),
    ['/v1/agents'],
  )
  const announce = ({ version }: AgentVersion) =>
    notifications.show({ title: `${name} ${version} is active`, message: 'New sessions use it.' })
  const actions: Column<AgentVersion> = {
    key: 'actions',
    label: '',
    align: 'right',
    cell: ({ version, active }) => {
      const path = files.package(name, version)
      return (
        <Group gap="xs" justify="flex-end" wrap="nowrap">
          <Button
            size="compact-sm"
            variant="subtle"
            loading={pending === path}
            aria-label={`Download ${version}`}
            onClick={() => void download(path, `${name}-${version}.tar.gz`)}
          >
            Download
          </Button>
          {can('agents:write') && !active && (
            <Button
              size="compact-sm"
              variant="light"
              loading={promote.isPending && promote.variables === version}
              aria-label={`Promote ${version}`}
              onClick={() => promote.mutate(version, { onSuccess: announce })}
            >
              Promote
            </Button>
          )}
        </Group>
      )
    },
  }
  return (
    <Section title="Versions">
      {promote.error && <ErrorState error={promote.error} />}
      <Show reading={versions} lines={3}>
        {() => (
          <DataTable
            label="Versions"
            noun="version"
            rows={versions.items}
            footer={<More pages={versions} />}
            columns={[...columns, actions]}
          />
        )}
      </Show>
    </Section>
  )
}

const columns: Column<AgentVersion>[] = [
  {
    key: 'version',
    label: 'Version',
    cell: ({ version, active }) => (
      <Group gap="xs">
        <Text size="sm" fw={600}>
          {version}
        </Text>
        {active && <Badge>Active</Badge>}
      </Group>
    ),
  },
  { key: 'digest', label: 'Digest', cell: ({ digest }) => <CopyId id={digest} label="sha256" /> },
  { key: 'size', label: 'Size', align: 'right', cell: (version) => bytes(version.bytes) },
  { key: 'by', label: 'Deployed by', cell: ({ createdBy }) => <Actor value={createdBy} /> },
  { key: 'at', label: 'Deployed', cell: ({ createdAt }) => <Time value={createdAt} /> },
]
