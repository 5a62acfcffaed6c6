import { Alert, Button, Code, Group, Modal, Stack, Text, TextInput } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { type SubmitEvent, useState } from 'react'
import type { OrganizationCreate, OrganizationCreated } from '../../../features/organizations/schema.ts'
import { useDeed } from '../../api/hooks.ts'
import { deeds } from '../../api/resources.ts'
import { Copy } from '../../parts/copy.tsx'
import { Faults } from '../../parts/faults.tsx'
import { Icon } from '../../parts/icons.tsx'

/** Makes an organization with its first administrator; a new administrator's password is shown once. */
export function CreateOrganization() {
  const [opened, { open, close }] = useDisclosure(false)
  const create = useDeed(
    (api, body: OrganizationCreate) => api.post<OrganizationCreated>(deeds.createOrganization, body),
    ['/v1/platform'],
  )
  const leave = () => {
    close()
    create.reset()
  }
  return (
    <>
      <Button leftSection={<Icon name="plus" size={16} />} onClick={open}>
        Create an organization
      </Button>
      <Modal
        opened={opened}
        onClose={leave}
        title={
          <Text fw={650}>{create.data ? `${create.data.organization.name} is ready` : 'Create an organization'}</Text>
        }
        closeOnClickOutside={!create.data}
      >
        {create.data ? (
          <Created created={create.data} onDone={leave} />
        ) : (
          <CreateForm onCreate={(body) => create.mutate(body)} pending={create.isPending} error={create.error} />
        )}
      </Modal>
    </>
  )
}

interface CreateFormProps {
  readonly onCreate: (body: OrganizationCreate) => void
  readonly pending: boolean
  readonly error: unknown
}

function CreateForm({ onCreate, pending, error }: CreateFormProps) {
  const [name, setName] = useState('')
  const [alias, setAlias] = useState<string | null>(null)
  const [adminEmail, setAdminEmail] = useState('')
  const shownAlias = alias ?? aliasOf(name)
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    onCreate({ name: name.trim(), alias: shownAlias, adminEmail: adminEmail.trim() })
  }
  return (
    <form onSubmit={submit}>
      <Stack>
        <TextInput
          label="Name"
          required
          maxLength={100}
          data-autofocus
          value={name}
          onChange={({ currentTarget }) => setName(currentTarget.value)}
        />
        <TextInput
          label="Alias"
          description="Stands in addresses, and cannot be changed later."
          required
          maxLength={64}
          pattern="[a-z0-9]+(-[a-z0-9]+)*"
          title="Lower-case words joined by hyphens"
          value={shownAlias}
          onChange={({ currentTarget }) => setAlias(currentTarget.value)}
        />
        <TextInput
          label="E-mail of the first administrator"
          type="email"
          required
          maxLength={254}
          value={adminEmail}
          onChange={({ currentTarget }) => setAdminEmail(currentTarget.value)}
        />
        {error ? <Faults error={error} title="The organization was not created" /> : null}
        <Group justify="flex-end">
          <Button type="submit" loading={pending}>
            Create
          </Button>
        </Group>
      </Stack>
    </form>
  )
}

function Created({
  created: { admin },
  onDone,
}: {
  readonly created: OrganizationCreated
  readonly onDone: () => void
}) {
  return (
    <Stack>
      {admin.oneTimePassword ? (
        <>
          <Text size="sm">
            {admin.email} is its first administrator. The first sign-in asks for a password of their own.
          </Text>
          <Alert color="amber" icon={<Icon name="alert" />} title="This password is shown only now">
            <Group gap="xs">
              <Code fz="md">{admin.oneTimePassword}</Code>
              <Copy value={admin.oneTimePassword} label="the password" />
            </Group>
          </Alert>
        </>
      ) : (
        <Text size="sm">{admin.email} had an account already, and is now its first administrator.</Text>
      )}
      <Group justify="flex-end">
        <Button onClick={onDone}>Done</Button>
      </Group>
    </Stack>
  )
}

function aliasOf(name: string): string {
  return name
    .toLowerCase()
    .normalize('NFD')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
}
