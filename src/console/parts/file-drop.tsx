import { Anchor, Group, Input, Text } from '@mantine/core'
import { type DragEvent, useId, useRef, useState } from 'react'
import { Icon } from './icons.tsx'
import { bytes } from './text.ts'

interface FileDropProps {
  readonly label: string
  readonly description?: string | undefined
  readonly accept: string
  readonly required?: boolean | undefined
  readonly file: File | null
  readonly error?: string | undefined
  readonly onFile: (file: File | null) => void
}

/** Takes one file, by drag and drop, by mouse or by keyboard. */
export function FileDrop({ label, description, accept, required, file, error, onFile }: FileDropProps) {
  const id = useId()
  const input = useRef<HTMLInputElement>(null)
  const [over, setOver] = useState(false)
  const drag = (entered: boolean) => (event: DragEvent) => {
    event.preventDefault()
    setOver(entered)
  }
  const drop = (event: DragEvent) => {
    drag(false)(event)
    const [dropped] = event.dataTransfer.files
    if (dropped) onFile(dropped)
  }
  const clear = () => {
    if (input.current) input.current.value = ''
    onFile(null)
  }
  return (
    <Input.Wrapper
      id={id}
      label={label}
      description={description}
      error={error}
      withAsterisk={required ?? false}
      labelProps={{ htmlFor: id }}
    >
      <label
        className="drop"
        htmlFor={id}
        data-over={over || undefined}
        data-invalid={error ? true : undefined}
        onDragOver={drag(true)}
        onDragLeave={drag(false)}
        onDrop={drop}
      >
        <input
          id={id}
          ref={input}
          type="file"
          accept={accept}
          className="visually-hidden"
          aria-label={label}
          aria-invalid={error ? true : undefined}
          onChange={(event) => onFile(event.currentTarget.files?.[0] ?? null)}
        />
        {file ? (
          <Group justify="center" gap="xs">
            <Icon name="file" />
            <Text span fw={600}>
              {file.name}
            </Text>
            <Text span c="dimmed" size="sm">
              {bytes(file.size)}
            </Text>
          </Group>
        ) : (
          <Group justify="center" gap="xs" c="dimmed">
            <Icon name="upload" />
            <Text span>
              Drop a file here, or <u>choose one</u>
            </Text>
          </Group>
        )}
      </label>
      {file && (
        <Anchor component="button" type="button" size="xs" onClick={clear} ta="left">
          Remove {file.name}
        </Anchor>
      )}
    </Input.Wrapper>
  )
}
