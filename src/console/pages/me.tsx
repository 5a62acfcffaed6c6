import { Button, Card, Group, Stack, Table, Text } from '@mantine/core'
import { Link } from 'wouter'
import { useDeed } from '../api/hooks.ts'
import { deeds } from '../api/resources.ts'
import { usePerson } from '../organization.ts'
import { Confirm } from '../parts/confirm.tsx'
import { CopyId } from '../parts/copy.tsx'
import { Page, Section } from '../parts/page.tsx'
import { pathTo } from '../paths.ts'
import { roleNames } from '../roles.ts'

/** What Keycloak lets a person do to their own account, and how it calls it. */
const securityActions = [
  ['UPDATE_PASSWORD', 'Change the password'],
  ['CONFIGURE_TOTP', 'Set up an authenticator app'],
  ['webauthn-register-passwordless', 'Add a passkey'],
] as const

/** The person's own page. */
export default function Me() {
  const { profile, organizations, signIn } = usePerson()
  return (
    <Page title="Profile and security">
      <Stack gap="xl" maw={760}>
        <Section title="You">
          <Table variant="vertical" withTableBorder aria-label="You">
            <Table.Tbody>
              <Table.Tr>
                <Table.Th w={180}>Name</Table.Th>
                <Table.Td>{profile.name ?? '–'}</Table.Td>
              </Table.Tr>
              <Table.Tr>
                <Table.Th>E-mail</Table.Th>
                <Table.Td>{profile.email ?? '–'}</Table.Td>
              </Table.Tr>
              <Table.Tr>
                <Table.Th>Id</Table.Th>
                <Table.Td>
                  <CopyId id={profile.id} />
                </Table.Td>
              </Table.Tr>
            </Table.Tbody>
          </Table>
        </Section>
        <Section title="Organizations">
          <Card>
            {organizations.length === 0 && (
              <Text size="sm" c="dimmed">
                You do not belong to an organization.
              </Text>
            )}
            <Stack gap="xs">
              {organizations.map(({ alias, name, roles }) => (
                <Group key={alias} justify="space-between">
                  <Text component={Link} href={pathTo('home', { alias })} className="plain-link" fw={600}>
                    {name}
                  </Text>
                  <Text size="sm" c="dimmed">
                    {roleNames(roles)}
                  </Text>
                </Group>
              ))}
            </Stack>
          </Card>
        </Section>
        <Section title="Security">
          <Card>
            <Stack>
              <Group gap="xs">
                {securityActions.map(([action, label]) => (
                  <Button key={action} variant="default" onClick={() => void signIn.signIn(action)}>
                    {label}
                  </Button>
                ))}
              </Group>
              <SignOutEverywhere />
            </Stack>
          </Card>
        </Section>
      </Stack>
    </Page>
  )
}

function SignOutEverywhere() {
  const { profile, signIn } = usePerson()
  const leave = useDeed(async (api) => {
    await api.post(deeds.signOutEverywhere)
    await signIn.signOut(pathTo('signedOut', {}))
  }, [])
  return (
    <Confirm
      title={`Sign ${profile.email ?? 'yourself'} out everywhere?`}
      verb="Sign out everywhere"
      pending={leave.isPending}
      error={leave.error}
      onConfirm={() => leave.mutateAsync(undefined)}
      trigger={(open) => (
        <Button color="red" variant="light" w="fit-content" onClick={open}>
          Sign out everywhere
        </Button>
      )}
    >
      Every browser and command line that is signed in as you is signed out, this one too. Use it when a device is lost.
    </Confirm>
  )
}
