import { Button, Group, Modal, Stack, Text } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import type { ReactNode } from 'react'
import { ErrorState } from './states.tsx'

interface ConfirmProps {
  /** What happens, naming the thing it happens to. */
  readonly title: string
  readonly children: ReactNode
  readonly verb: string
  readonly color?: string
  readonly onConfirm: () => Promise<unknown>
  readonly error: unknown
  readonly pending: boolean
  readonly trigger: (open: () => void) => ReactNode
}

/** Asks before something is done that is not easily undone. */
export function Confirm({ title, children, verb, color = 'red.9', onConfirm, error, pending, trigger }: ConfirmProps) {
  const [opened, { open, close }] = useDisclosure(false)
  const confirm = () => onConfirm().then(close, () => {})
  return (
    <>
      {trigger(open)}
      <Modal opened={opened} onClose={close} title={<Text fw={650}>{title}</Text>}>
        <Stack>
          <Text size="sm" component="div">
            {children}
          </Text>
          {error ? <ErrorState error={error} /> : null}
          <Group justify="flex-end">
            <Button variant="default" onClick={close} data-autofocus>
              Keep it as it is
            </Button>
            <Button color={color} onClick={() => void confirm()} loading={pending}>
              {verb}
            </Button>
          </Group>
        </Stack>
      </Modal>
    </>
  )
}
