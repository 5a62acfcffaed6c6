import { Alert, Stack, Text } from '@mantine/core'
import { type Fault, Problem } from '../api/problem.ts'
import { Icon } from './icons.tsx'
import { ErrorState } from './states.tsx'
import { DataTable } from './table.tsx'

/** What the server found wrong in what was sent: each place, and why. Other failures as everywhere. */
export function Faults({ error, title }: { readonly error: unknown; readonly title: string }) {
  if (!(error instanceof Problem) || error.faults.length === 0) return <ErrorState error={error} title={title} />
  const { faults, message } = error
  const has = (key: keyof Fault) => faults.some((fault) => fault[key] !== undefined)
  return (
    <Stack gap="sm" role="alert">
      <Alert color="red" icon={<Icon name="alert" />} title={title}>
        <Text size="sm">{message}</Text>
      </Alert>
      <DataTable
        label={title}
        rows={faults}
        noun="fault"
        columns={[
          ...(has('file') ? [{ key: 'file', label: 'File', cell: (fault: Fault) => fault.file ?? '–' }] : []),
          ...(has('line')
            ? [{ key: 'line', label: 'Line', align: 'right' as const, cell: (fault: Fault) => fault.line ?? '–' }]
            : []),
          ...(has('path') ? [{ key: 'path', label: 'Place', cell: (fault: Fault) => fault.path ?? '–' }] : []),
          { key: 'reason', label: 'Reason', cell: (fault) => fault.reason },
        ]}
      />
    </Stack>
  )
}
