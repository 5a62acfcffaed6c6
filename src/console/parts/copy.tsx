import { ActionIcon, Code, CopyButton, Group, Tooltip } from '@mantine/core'
import { Icon } from './icons.tsx'

/** Puts a text into the clipboard. */
export function Copy({ value, label }: { readonly value: string; readonly label: string }) {
  return (
    <CopyButton value={value}>
      {({ copied, copy }) => (
        <Tooltip label={copied ? 'Copied' : `Copy ${label}`}>
          <ActionIcon
            size="sm"
            variant="subtle"
            color={copied ? 'pine' : 'gray'}
            onClick={copy}
            aria-label={`Copy ${label}`}
          >
            <Icon name={copied ? 'check' : 'copy'} size={14} />
          </ActionIcon>
        </Tooltip>
      )}
    </CopyButton>
  )
}

/** An id, short to read and whole to copy. */
export function CopyId({ id, label = 'id' }: { readonly id: string; readonly label?: string }) {
  return (
    <Group gap={2} wrap="nowrap" display="inline-flex">
      <Code title={id} style={{ whiteSpace: 'nowrap' }}>
        {id.length > 13 ? `${label === 'id' ? '' : `${label} `}…${id.slice(-8)}` : id}
      </Code>
      <Copy value={id} label={label} />
    </Group>
  )
}
