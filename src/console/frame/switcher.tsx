import { Group, Menu, Text, UnstyledButton } from '@mantine/core'
import { useLocation } from 'wouter'
import { useOrganization, usePerson } from '../organization.ts'
import { Icon } from '../parts/icons.tsx'
import { pathTo } from '../paths.ts'
import { roleNames } from '../roles.ts'
import { Initials } from './initials.tsx'

/** Names the organization that everything on the page belongs to, and leads to the person's others. */
export function OrganizationSwitcher() {
  const current = useOrganization()
  const { organizations } = usePerson()
  const [, navigate] = useLocation()
  return (
    <Menu width={300} position="bottom-start" shadow="md">
      <Menu.Target>
        <UnstyledButton data-testid="organization">
          <Group gap="xs" wrap="nowrap">
            <Initials name={current.name} />
            <Text fw={650} truncate maw={{ base: 150, sm: 320 }}>
              {current.name}
            </Text>
            <span className="visually-hidden">, switch organization</span>
            <Icon name="chevrons" size={16} />
          </Group>
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>Your organizations</Menu.Label>
        {organizations.map(({ alias, name, roles }) => (
          <Menu.Item
            key={alias}
            leftSection={<Initials name={name} />}
            rightSection={alias === current.alias ? <Icon name="check" size={16} /> : null}
            aria-current={alias === current.alias ? 'true' : undefined}
            onClick={() => navigate(pathTo('home', { alias }))}
          >
            <Text size="sm" fw={600}>
              {name}
            </Text>
            <Text size="xs" c="dimmed">
              {roleNames(roles)}
            </Text>
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  )
}
