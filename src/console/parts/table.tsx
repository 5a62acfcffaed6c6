import { Button, Card, Group, Table, Text } from '@mantine/core'
import { type ReactNode, useState } from 'react'
import { count } from './text.ts'

export interface Column<Row> {
  readonly key: string
  readonly label: ReactNode
  readonly align?: 'left' | 'right' | undefined
  /** `short` never breaks its lines, `text` gets room for sentences. */
  readonly width?: 'short' | 'text' | undefined
  readonly cell: (row: Row) => ReactNode
}

interface DataTableProps<Row> {
  readonly label: string
  readonly columns: readonly Column<Row>[]
  readonly rows: readonly Row[]
  /** What a row is called, when it is counted. */
  readonly noun?: string
  /** How many rows are shown before anybody asks for more. */
  readonly first?: number
  readonly footer?: ReactNode
}

const firstRows = 100
const widths = { short: { whiteSpace: 'nowrap' }, text: { minWidth: '15rem' } } as const

/** A table that shows its first 100 rows, and more when asked: thousands of rows at once would stop the page. */
export function DataTable<Row>({ label, columns, rows, noun = 'row', first = firstRows, footer }: DataTableProps<Row>) {
  const [asked, setAsked] = useState(0)
  // Nobody should have to ask for the last three rows, nor twice for a page that the server was asked for.
  const atOnce = footer || rows.length <= first + 5 ? rows.length : first
  const shown = Math.max(asked, atOnce)
  const next = Math.min(Math.max(firstRows, shown), rows.length - shown)
  const numbered = rows.slice(0, shown).map((row, number) => ({ row, number }))
  return (
    <Card padding={0}>
      <Table.ScrollContainer
        minWidth={columns.length * 105}
        type="native"
        tabIndex={0}
        role="group"
        aria-label={`${label}, scrolls`}
      >
        <Table verticalSpacing="xs" horizontalSpacing="md" aria-label={label} highlightOnHover>
          <Table.Thead>
            <Table.Tr>
              {columns.map((column) => (
                <Table.Th
                  key={column.key}
                  ta={column.align}
                  c="dimmed"
                  fz="xs"
                  fw={600}
                  style={{ whiteSpace: 'nowrap' }}
                >
                  {column.label}
                </Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {numbered.map(({ row, number }) => (
              <Table.Tr key={number}>
                {columns.map((column) => (
                  <Table.Td
                    key={column.key}
                    ta={column.align}
                    {...(column.align ? { className: 'numbers' } : {})}
                    {...(column.width ? { style: widths[column.width] } : {})}
                  >
                    {column.cell(row)}
                  </Table.Td>
                ))}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {rows.length > shown && (
        <Group justify="space-between" p="sm" px="md">
          <Text size="sm" c="dimmed">
            The first {count(shown, noun)} of {count(rows.length, noun)}
          </Text>
          <Button size="xs" variant="default" onClick={() => setAsked(shown + next)}>
            Show {count(next, 'more', 'more')}
          </Button>
        </Group>
      )}
      {footer}
    </Card>
  )
}

interface Paged {
  readonly hasNextPage: boolean
  readonly isFetchingNextPage: boolean
  readonly fetchNextPage: () => unknown
}

/** The foot of a list that the server hands out page by page. */
export function More({ pages }: { readonly pages: Paged }) {
  if (!pages.hasNextPage) return null
  return (
    <Group justify="center" p="sm">
      <Button size="xs" variant="default" loading={pages.isFetchingNextPage} onClick={() => void pages.fetchNextPage()}>
        Show more
      </Button>
    </Group>
  )
}

/** How much room a column needs, by the texts in it. */
export function widthOf(values: readonly unknown[]): 'short' | 'text' {
  const longest = values.reduce<number>((most, value) => Math.max(most, String(value ?? '').length), 0)
  return longest <= 28 ? 'short' : 'text'
}
