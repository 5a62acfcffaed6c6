import { Box, SegmentedControl, Text } from '@mantine/core'
import { Link, useSearchParams } from 'wouter'
import { usePages } from '../api/hooks.ts'
import { resources } from '../api/resources.ts'
import { useTo } from '../organization.ts'
import { Actor } from '../parts/actor.tsx'
import { Page } from '../parts/page.tsx'
import { Empty, Show } from '../parts/states.tsx'
import { Status } from '../parts/status.tsx'
import { DataTable, More } from '../parts/table.tsx'
import { Time } from '../parts/time.tsx'

const filters = [
  { value: 'pending', label: 'Pending' },
  { value: 'approved', label: 'Approved' },
  { value: 'edited', label: 'With edits' },
  { value: 'rejected', label: 'Rejected' },
  { value: 'all', label: 'All' },
]

/** The inbox: every question that a run has put to people. */
export default function Approvals() {
  const to = useTo()
  const [search, setSearch] = useSearchParams()
  const status = search.get('status') ?? 'pending'
  const approvals = usePages(resources.approvals(status === 'all' ? {} : { status }), {
    everyMs: status === 'pending' ? 10_000 : false,
  })
  const choose = (value: string) => setSearch(value === 'pending' ? {} : { status: value }, { replace: true })
  return (
    <Page title="Approvals">
      <Box style={{ overflowX: 'auto' }}>
        <SegmentedControl
          data={filters}
          value={status}
          onChange={choose}
          aria-label="Which approvals"
          w="fit-content"
        />
      </Box>
      <Show reading={approvals}>
        {() =>
          approvals.items.length === 0 ? (
            <Empty icon="inbox" title={status === 'pending' ? 'Nothing waits for a decision' : 'No such approval'}>
              When a run reaches a point where a person decides, its question shows here.
            </Empty>
          ) : (
            <DataTable
              label="Approvals"
              noun="approval"
              rows={approvals.items}
              footer={<More pages={approvals} />}
              columns={[
                {
                  key: 'title',
                  label: 'Question',
                  cell: ({ id, title }) => (
                    <Text
                      component={Link}
                      href={to('approval', { approvalId: id })}
                      className="plain-link"
                      fw={600}
                      size="sm"
                    >
                      {title}
                    </Text>
                  ),
                },
                { key: 'agent', label: 'Agent', cell: ({ agent }) => agent },
                { key: 'status', label: 'Status', cell: ({ status }) => <Status value={status} /> },
                { key: 'asked', label: 'Asked', cell: ({ requestedAt }) => <Time value={requestedAt} /> },
                {
                  key: 'decided',
                  label: 'Decided',
                  cell: ({ decidedAt, decidedBy }) =>
                    decidedAt ? (
                      <>
                        <Time value={decidedAt} /> by <Actor value={decidedBy} />
                      </>
                    ) : (
                      '–'
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
