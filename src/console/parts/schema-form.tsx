import { Checkbox, Fieldset, NumberInput, Select, Stack, TagsInput, Textarea, TextInput } from '@mantine/core'
import { useState } from 'react'
import { FileDrop } from './file-drop.tsx'
import type { JsonSchema, Values } from './schema.ts'
import { humanize } from './text.ts'

interface FormProps {
  readonly schema: JsonSchema
  readonly values: Values
  readonly onChange: (values: Values) => void
  /** Files are kept apart from values: they are sent as parts of their own. */
  readonly files?: Readonly<Record<string, File>>
  readonly onFile?: (name: string, file: File | null) => void
  /** By the field's path, such as `invoice/total`. */
  readonly faults?: Readonly<Record<string, string>>
  readonly path?: string
}

/** A form for an object of this schema. What has no field of its own is edited as JSON. */
export function SchemaForm({ schema, values, onChange, files = {}, onFile, faults = {}, path = '' }: FormProps) {
  return (
    <Stack gap="md">
      {Object.entries(schema.properties ?? {}).map(([name, property]) => {
        const place = path ? `${path}/${name}` : name
        const required = schema.required?.includes(name) ?? false
        const label = property.title ?? humanize(name)
        if (property.contentMediaType)
          return (
            <FileDrop
              key={name}
              label={label}
              description={property.description}
              accept={property.contentMediaType === 'text/csv' ? '.csv,text/csv' : property.contentMediaType}
              required={required}
              file={files[name] ?? null}
              error={faults[place]}
              onFile={(file) => onFile?.(name, file)}
            />
          )
        return (
          <Field
            key={name}
            schema={property}
            label={label}
            required={required}
            value={values[name]}
            faults={faults}
            path={place}
            onChange={(value) => onChange(withValue(values, name, value))}
          />
        )
      })}
    </Stack>
  )
}

interface FieldProps {
  readonly schema: JsonSchema
  readonly label: string
  readonly required: boolean
  readonly value: unknown
  readonly faults: Readonly<Record<string, string>>
  readonly path: string
  readonly onChange: (value: unknown) => void
}

/** One field of its own, by its schema. */
export function Field({ schema, label, required, value, faults, path, onChange }: FieldProps) {
  const common = {
    label,
    description: schema.description,
    withAsterisk: required,
    error: faults[path],
    disabled: schema.readOnly ?? false,
  }
  if (schema.enum)
    return (
      <Select
        {...common}
        data={schema.enum.map(String)}
        value={value === undefined ? null : String(value)}
        clearable={!required}
        onChange={(chosen) => onChange(schema.enum?.find((one) => String(one) === chosen))}
      />
    )
  if (schema.type === 'string') return <TextField {...common} schema={schema} value={value} onChange={onChange} />
  if (schema.type === 'integer' || schema.type === 'number')
    return (
      <NumberInput
        {...common}
        value={typeof value === 'number' ? value : ''}
        allowDecimal={schema.type === 'number'}
        min={schema.minimum}
        max={schema.maximum}
        onChange={(number) => onChange(typeof number === 'number' ? number : undefined)}
      />
    )
  if (schema.type === 'boolean')
    return (
      <Checkbox
        {...common}
        checked={value === true}
        onChange={({ currentTarget }) => onChange(currentTarget.checked)}
      />
    )
  if (schema.type === 'array' && schema.items?.type === 'string' && !schema.items.enum)
    return <TagsInput {...common} value={Array.isArray(value) ? value.map(String) : []} onChange={onChange} />
  if (schema.type === 'object' && schema.properties)
    return (
      <Fieldset legend={label}>
        <SchemaForm schema={schema} values={(value ?? {}) as Values} onChange={onChange} faults={faults} path={path} />
      </Fieldset>
    )
  return <JsonField {...common} value={value} onChange={onChange} />
}

interface TextFieldProps {
  readonly schema: JsonSchema
  readonly value: unknown
  readonly onChange: (value: string) => void
}

/** One line, or several where long texts are expected. */
function TextField({ schema, value, onChange, ...common }: TextFieldProps) {
  const text = typeof value === 'string' ? value : ''
  if (schema.format === undefined && (schema.maxLength ?? 0) > 200)
    return (
      <Textarea
        {...common}
        autosize
        minRows={3}
        maxRows={14}
        value={text}
        onChange={({ currentTarget }) => onChange(currentTarget.value)}
      />
    )
  return (
    <TextInput
      {...common}
      type={inputTypes[schema.format ?? ''] ?? 'text'}
      value={text}
      onChange={({ currentTarget }) => onChange(currentTarget.value)}
    />
  )
}

const inputTypes: Readonly<Record<string, string>> = { date: 'date', email: 'email', uri: 'url' }

interface JsonFieldProps {
  readonly label: string
  readonly description?: string | undefined
  readonly error?: string | undefined
  readonly value: unknown
  readonly onChange: (value: unknown) => void
}

/** Any JSON as text; what does not parse is not handed on, and says so. */
export function JsonField({ label, description, error, value, onChange }: JsonFieldProps) {
  const [text, setText] = useState(() => (value === undefined ? '' : JSON.stringify(value, null, 2)))
  const [fault, setFault] = useState<string>()
  const change = (next: string) => {
    setText(next)
    try {
      onChange(next.trim() === '' ? undefined : JSON.parse(next))
      setFault(undefined)
    } catch (parsing) {
      setFault((parsing as Error).message)
    }
  }
  return (
    <Textarea
      label={label}
      description={description ?? 'JSON'}
      error={error ?? fault}
      autosize
      minRows={3}
      maxRows={24}
      ff="monospace"
      value={text}
      onChange={({ currentTarget }) => change(currentTarget.value)}
    />
  )
}

function withValue(values: Values, name: string, value: unknown): Values {
  const { [name]: _, ...others } = values
  return value === undefined || value === '' ? others : { ...others, [name]: value }
}
