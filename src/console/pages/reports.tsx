import { Text } from '@mantine/core'
import { Link } from 'wouter'
import { usePages } from '../api/hooks.ts'
import { resources } from '../api/resources.ts'
import { useTo } from '../organization.ts'
import { Page } from '../parts/page.tsx'
import { Empty, Show } from '../parts/states.tsx'
import { DataTable, More } from '../parts/table.tsx'
import { Time } from '../parts/time.tsx'

/** What runs have left to read, newest first. */
export default function Reports() {
  const to = useTo()
  const reports = usePages(resources.reports())
  return (
    <Page title="Reports">
      <Show reading={reports}>
        {() =>
          reports.items.length === 0 ? (
            <Empty icon="report" title="No report yet">
              A run leaves its report when it ends. Start a session, decide what it asks, and read the report here.
            </Empty>
          ) : (
            <DataTable
              label="Reports"
              noun="report"
              rows={reports.items}
              footer={<More pages={reports} />}
              columns={[
                {
                  key: 'title',
                  label: 'Report',
                  cell: ({ id, title }) => (
                    <Text
                      component={Link}
                      href={to('report', { reportId: id })}
                      className="plain-link"
                      fw={600}
                      size="sm"
                    >
                      {title}
                    </Text>
                  ),
                },
                { key: 'agent', label: 'Agent', cell: ({ agent }) => agent },
                { key: 'files', label: 'Files', align: 'right', cell: ({ files }) => files.length },
                { key: 'at', label: 'Written', cell: ({ createdAt }) => <Time value={createdAt} /> },
              ]}
            />
          )
        }
      </Show>
    </Page>
  )
}
