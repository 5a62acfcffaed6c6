import { Code, Text } from '@mantine/core'
import { usePages } from '../api/hooks.ts'
import { resources } from '../api/resources.ts'
import { useCan } from '../organization.ts'
import { Actor } from '../parts/actor.tsx'
import { CopyId } from '../parts/copy.tsx'
import { Page } from '../parts/page.tsx'
import { Empty, NoPermission, Show } from '../parts/states.tsx'
import { Status } from '../parts/status.tsx'
import { DataTable, More } from '../parts/table.tsx'
import { Time } from '../parts/time.tsx'

/** What was done and what was denied, newest first. */
export default function Audit() {
  const can = useCan()
  const entries = usePages(resources.audit, { enabled: can('audit:read') })
  if (!can('audit:read')) return <NoPermission detail="The audit is shown to administrators and auditors" />
  return (
    <Page title="Audit">
      <Show reading={entries}>
        {() =>
          entries.items.length === 0 ? (
            <Empty icon="audit" title="Nothing recorded yet">
              Every deed is recorded with who did it and when. Deploy an agent or start a session to see the first
              entry.
            </Empty>
          ) : (
            <DataTable
              label="Audit"
              noun="entry"
              rows={entries.items}
              footer={<More pages={entries} />}
              columns={[
                { key: 'at', label: 'When', cell: ({ occurredAt }) => <Time value={occurredAt} as="date" /> },
                { key: 'actor', label: 'Who', cell: ({ actor }) => <Actor value={actor} /> },
                {
                  key: 'action',
                  label: 'What',
                  cell: ({ action }) => (
                    <Text size="sm" fw={600}>
                      {action}
                    </Text>
                  ),
                },
                { key: 'outcome', label: 'Outcome', cell: ({ outcome }) => <Status value={outcome} /> },
                {
                  key: 'resource',
                  label: 'Object',
                  cell: ({ resource }) => <Resource value={resource} />,
                },
                {
                  key: 'details',
                  label: 'Details',
                  cell: ({ details }) =>
                    Object.keys(details).length === 0 ? (
                      '–'
                    ) : (
                      <details className="fold">
                        <summary>Show</summary>
                        <Code block>{JSON.stringify(details, null, 2)}</Code>
                      </details>
                    ),
                },
              ]}
            />
          )
        }
      </Show>
    </Page>
  )
}

function Resource({ value }: { readonly value: string | null }) {
  if (value === null) return <>–</>
  const [kind, id = ''] = value.split(':')
  return id ? <CopyId id={id} label={kind ?? 'id'} /> : <Code>{value}</Code>
}
