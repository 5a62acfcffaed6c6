import { Card } from '@mantine/core'
import { hasFault, RowsEditor } from '../../parts/rows-editor.tsx'
import { columnsOf, faultOf, type JsonSchema, type Values } from '../../parts/schema.ts'
import { Field, JsonField, SchemaForm } from '../../parts/schema-form.tsx'
import { Value } from '../../parts/value.tsx'

interface ProposalEditorProps {
  readonly schema: JsonSchema | null
  readonly original: unknown
  readonly values: unknown
  /** `fits` is false while something is plainly wrong with the values. */
  readonly onChange: (values: unknown, fits: boolean) => void
}

/** What the person may change before agreeing: rows in a table, an object in a form, a text as a text, else JSON. */
export function ProposalEditor({ schema, original, values, onChange }: ProposalEditorProps) {
  if (!schema) return <Value label="Proposal" value={original} />
  const columns = columnsOf(schema)
  if (columns && isRows(original) && isRows(values)) {
    const required = schema.items?.required ?? []
    return (
      <RowsEditor
        label="Proposal"
        columns={columns}
        required={required}
        original={original}
        rows={values}
        onChange={(rows) => {
          const same = rows.every((row, number) => row === original[number])
          onChange(same ? original : rows, !rows.some((row) => hasFault(columns, required, row)))
        }}
      />
    )
  }
  if (schema.type === 'object' && schema.properties && isObject(values)) {
    const faults = faultsOf(schema, values)
    return (
      <Card>
        <SchemaForm
          schema={schema}
          values={values}
          faults={faults}
          onChange={(next) => {
            const same = JSON.stringify(next) === JSON.stringify(original)
            onChange(same ? original : next, Object.keys(faultsOf(schema, next)).length === 0)
          }}
        />
      </Card>
    )
  }
  if (['string', 'number', 'integer', 'boolean'].includes(String(schema.type)))
    return (
      <Card>
        <Field
          schema={schema}
          label={schema.title ?? 'Proposal'}
          required
          value={values}
          faults={{ '': faultOf(schema, values, true) ?? '' }}
          path=""
          onChange={(next) => onChange(next, faultOf(schema, next, true) === undefined)}
        />
      </Card>
    )
  return (
    <Card>
      <JsonField label="Proposal" value={values} onChange={(next) => onChange(next, true)} />
    </Card>
  )
}

function faultsOf(schema: JsonSchema, values: Values): Record<string, string> {
  const found = Object.entries(schema.properties ?? {}).map(
    ([name, property]) => [name, faultOf(property, values[name], schema.required?.includes(name) ?? false)] as const,
  )
  return Object.fromEntries(found.filter((pair): pair is readonly [string, string] => pair[1] !== undefined))
}

function isRows(value: unknown): value is readonly Values[] {
  return Array.isArray(value) && value.every(isObject)
}

function isObject(value: unknown): value is Values {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
