import { Button, Card, Group, Pagination, Switch, Table, Text, TextInput } from '@mantine/core'
import { memo, useDeferredValue, useMemo, useState } from 'react'
import { Icon } from './icons.tsx'
import { faultOf, type JsonSchema, type Values } from './schema.ts'
import { count, humanize, isNumeric } from './text.ts'

interface RowsEditorProps {
  readonly label: string
  readonly columns: Readonly<Record<string, JsonSchema>>
  readonly required: readonly string[]
  readonly original: readonly Values[]
  readonly rows: readonly Values[]
  readonly onChange: (rows: readonly Values[]) => void
}

const pageSize = 25

/** Rows that a person may change, a page at a time. What differs from the proposal is marked and can be taken back. */
export function RowsEditor({ label, columns, required, original, rows, onChange }: RowsEditorProps) {
  const [page, setPage] = useState(1)
  const [search, setSearch] = useState('')
  const [changedOnly, setChangedOnly] = useState(false)
  const wanted = useDeferredValue(search.trim().toLowerCase())
  const numbers = useMemo(
    () =>
      rows.flatMap((row, number) => {
        const hidden = (changedOnly && row === original[number]) || !has(row, wanted)
        return hidden ? [] : [number]
      }),
    [rows, original, changedOnly, wanted],
  )
  const pages = Math.max(1, Math.ceil(numbers.length / pageSize))
  const current = Math.min(page, pages)
  const change = (number: number, row: Values) => onChange(rows.with(number, settle(row, original[number]!)))
  return (
    <Card padding={0}>
      <Group justify="space-between" p="sm" px="md">
        <Filters search={search} onSearch={setSearch} changedOnly={changedOnly} onChangedOnly={setChangedOnly} />
        <Counts faults={rows.filter((row) => hasFault(columns, required, row)).length} rows={numbers.length} />
      </Group>
      <Table.ScrollContainer
        minWidth={Math.min(Object.keys(columns).length * 120, 1000)}
        type="native"
        tabIndex={0}
        role="group"
        aria-label={`${label}, scrolls`}
      >
        <Table verticalSpacing={4} horizontalSpacing="xs" aria-label={label}>
          <Headings columns={columns} />
          <Table.Tbody>
            {numbers.slice((current - 1) * pageSize, current * pageSize).map((number) => (
              <EditableRow
                key={number}
                number={number}
                columns={columns}
                required={required}
                row={rows[number]!}
                original={original[number]!}
                onChange={change}
              />
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {pages > 1 && (
        <Group justify="center" p="sm">
          <Pagination size="sm" total={pages} value={current} onChange={setPage} getControlProps={nameOf} />
        </Group>
      )}
    </Card>
  )
}

interface FiltersProps {
  readonly search: string
  readonly onSearch: (search: string) => void
  readonly changedOnly: boolean
  readonly onChangedOnly: (changedOnly: boolean) => void
}

function Filters({ search, onSearch, changedOnly, onChangedOnly }: FiltersProps) {
  return (
    <Group gap="sm">
      <TextInput
        size="xs"
        placeholder="Find a row"
        aria-label="Find a row"
        value={search}
        onChange={({ currentTarget }) => onSearch(currentTarget.value)}
      />
      <Switch
        size="xs"
        label="Only changed rows"
        checked={changedOnly}
        onChange={({ currentTarget }) => onChangedOnly(currentTarget.checked)}
      />
    </Group>
  )
}

function Counts({ faults, rows }: { readonly faults: number; readonly rows: number }) {
  return (
    <Group gap="sm" role="status">
      {faults > 0 && (
        <Text size="sm" c="red">
          {count(faults, 'row')} to correct
        </Text>
      )}
      <Text size="sm" c="dimmed">
        {count(rows, 'row')}
      </Text>
    </Group>
  )
}

function Headings({ columns }: Pick<RowsEditorProps, 'columns'>) {
  return (
    <Table.Thead>
      <Table.Tr>
        {Object.entries(columns).map(([key, column]) => (
          <Table.Th key={key} c="dimmed" fz="xs" fw={600}>
            {column.title ?? humanize(key)}
          </Table.Th>
        ))}
        <Table.Th w={40} aria-label="Take back" />
      </Table.Tr>
    </Table.Thead>
  )
}

function has(row: Values, wanted: string): boolean {
  return wanted === '' || Object.values(row).some((value) => String(value).toLowerCase().includes(wanted))
}

interface EditableRowProps {
  readonly number: number
  readonly columns: Readonly<Record<string, JsonSchema>>
  readonly required: readonly string[]
  readonly row: Values
  readonly original: Values
  readonly onChange: (number: number, row: Values) => void
}

const EditableRow = memo(
  function EditableRow({ number, columns, required, row, original, onChange }: EditableRowProps) {
    const changed = row !== original
    return (
      <Table.Tr>
        {Object.entries(columns).map(([key, column]) => (
          <Table.Td key={key}>
            <Cell
              label={`${column.title ?? humanize(key)}, row ${number + 1}`}
              column={column}
              value={row[key]}
              changed={row[key] !== original[key]}
              fault={faultOf(column, row[key], required.includes(key))}
              onChange={(value) => onChange(number, { ...row, [key]: value })}
            />
          </Table.Td>
        ))}
        <Table.Td>
          {changed && (
            <Button
              size="compact-xs"
              variant="subtle"
              color="gray"
              aria-label={`Take back the changes of row ${number + 1}`}
              onClick={() => onChange(number, original)}
            >
              <Icon name="undo" size={15} />
            </Button>
          )}
        </Table.Td>
      </Table.Tr>
    )
  },
  // onChange is new each time and does the same.
  (before, after) => before.row === after.row && before.number === after.number && before.columns === after.columns,
)

interface CellProps {
  readonly label: string
  readonly column: JsonSchema
  readonly value: unknown
  readonly changed: boolean
  readonly fault: string | undefined
  readonly onChange: (value: unknown) => void
}

function Cell({ label, column, value, changed, fault, onChange }: CellProps) {
  if (column.readOnly) return <Text size="sm">{value === undefined || value === '' ? '–' : String(value)}</Text>
  const common = {
    className: 'cell',
    'aria-label': label,
    'aria-invalid': fault !== undefined,
    'data-changed': changed || undefined,
    title: fault,
  }
  if (column.enum)
    return (
      <select
        {...common}
        value={String(value)}
        onChange={({ currentTarget }) => onChange(column.enum?.find((one) => String(one) === currentTarget.value))}
      >
        {column.enum.map((one) => (
          <option key={String(one)}>{String(one)}</option>
        ))}
      </select>
    )
  const number = column.type === 'number' || column.type === 'integer'
  return (
    <input
      {...common}
      style={{ textAlign: column.format === 'decimal' || isNumeric(value) ? 'right' : 'left' }}
      value={value === undefined || value === null ? '' : String(value)}
      onChange={({ currentTarget: { value: text } }) => onChange(number && isNumeric(text) ? Number(text) : text)}
    />
  )
}

/** A row that was changed back is the proposal's own row again. */
function settle(row: Values, original: Values): Values {
  const keys = new Set([...Object.keys(row), ...Object.keys(original)])
  return [...keys].every((key) => row[key] === original[key]) ? original : row
}

export function hasFault(columns: Readonly<Record<string, JsonSchema>>, required: readonly string[], row: Values) {
  return Object.entries(columns).some(([key, column]) => faultOf(column, row[key], required.includes(key)))
}

function nameOf(control: string) {
  return { 'aria-label': `${humanize(control)} page` }
}
