import { List, Stack, Table, Text } from '@mantine/core'
import type { ReactNode } from 'react'
import { type Column, DataTable, widthOf } from './table.tsx'
import { humanize, isNumeric } from './text.ts'

type Row = Readonly<Record<string, unknown>>

/** Any JSON, as people read it: rows as a table, an object as pairs, text as text and never as markup. */
export function Value({ value, label }: { readonly value: unknown; readonly label: string }) {
  if (Array.isArray(value) && value.length > 0) {
    if (value.every(isRow)) return <DataTable label={label} columns={columnsOf(value)} rows={value} first={10} />
    return (
      <List size="sm">
        {value
          .slice(0, 200)
          .map((item, number) => ({ item, number }))
          .map(({ item, number }) => (
            <List.Item key={number}>{inline(item)}</List.Item>
          ))}
      </List>
    )
  }
  if (isRow(value) && Object.keys(value).length > 0) return <Pairs value={value} label={label} />
  return (
    <Text size="sm" className="prose">
      {inline(value)}
    </Text>
  )
}

function Pairs({ value, label }: { readonly value: Row; readonly label: string }) {
  const entries = Object.entries(value)
  const nested = entries.filter(([, inner]) => Array.isArray(inner) && inner.length > 0 && inner.every(isRow))
  const flat = entries.filter((entry) => !nested.includes(entry))
  return (
    <Stack gap="sm">
      {flat.length > 0 && (
        <Table variant="vertical" withTableBorder aria-label={label} layout="fixed">
          <Table.Tbody>
            {flat.map(([key, inner]) => (
              <Table.Tr key={key}>
                <Table.Th w={220}>{humanize(key)}</Table.Th>
                <Table.Td className="prose">{inline(inner)}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
      {nested.map(([key, inner]) => (
        <Stack key={key} gap={4}>
          <Text size="sm" fw={600}>
            {humanize(key)}
          </Text>
          <Value value={inner} label={humanize(key)} />
        </Stack>
      ))}
    </Stack>
  )
}

function isRow(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Ids first, then plain facts, then what belongs together by its first word: the database keeps no order of keys. */
function rankOf(key: string): number {
  if (/(^|_)id$|Id$/.test(key)) return 0
  return /_|[A-Z]/.test(key) ? 2 : 1
}

/** The columns that any of the first rows has; numbers stand on the right. */
function columnsOf(rows: readonly Row[]): Column<Row>[] {
  const sample = rows.slice(0, 100)
  const keys = [...new Set(sample.flatMap((row) => Object.keys(row)))].sort(
    (left, right) => rankOf(left) - rankOf(right) || left.localeCompare(right),
  )
  return keys.map((key) => {
    const values = sample
      .map((row) => row[key])
      .filter((value) => value !== null && value !== undefined && value !== '')
    const numeric = values.length > 0 && values.every(isNumeric)
    return {
      key,
      label: humanize(key),
      align: numeric ? 'right' : undefined,
      width: widthOf(values.map(inline)),
      cell: (row) => inline(row[key]),
    }
  })
}

/** A value on one line. */
export function inline(value: unknown): ReactNode {
  if (value === null || value === undefined || value === '')
    return (
      <Text span c="dimmed" inherit>
        –
      </Text>
    )
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (typeof value !== 'object') return String(value)
  if (Array.isArray(value))
    return value.every((item) => typeof item !== 'object') ? value.join(', ') : JSON.stringify(value)
  return Object.entries(value)
    .map(([key, inner]) => `${humanize(key)}: ${typeof inner === 'object' ? JSON.stringify(inner) : String(inner)}`)
    .join(' · ')
}
