import { Menu, Text, UnstyledButton, useComputedColorScheme, useMantineColorScheme } from '@mantine/core'
import { useLocation } from 'wouter'
import { usePerson } from '../organization.ts'
import { Icon } from '../parts/icons.tsx'
import { pathTo } from '../paths.ts'
import { Initials } from './initials.tsx'

/** The person's own things: profile, appearance, the way out. */
export function UserMenu() {
  const { profile, signIn } = usePerson()
  const [, navigate] = useLocation()
  const { setColorScheme } = useMantineColorScheme()
  const scheme = useComputedColorScheme('light', { getInitialValueInEffect: false })
  const name = profile.name ?? profile.email ?? 'You'
  return (
    <Menu width={240} position="bottom-end" shadow="md">
      <Menu.Target>
        <UnstyledButton>
          <Initials name={name} round />
          <span className="visually-hidden">Your menu, {name}</span>
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>
          <Text size="sm" fw={600} truncate>
            {name}
          </Text>
          <Text size="xs" truncate>
            {profile.email}
          </Text>
        </Menu.Label>
        <Menu.Item leftSection={<Icon name="person" />} onClick={() => navigate(pathTo('me', {}))}>
          Profile and security
        </Menu.Item>
        {profile.platformAdmin && (
          <Menu.Item leftSection={<Icon name="platform" />} onClick={() => navigate(pathTo('platform', {}))}>
            Platform
          </Menu.Item>
        )}
        <Menu.Item
          leftSection={<Icon name={scheme === 'dark' ? 'sun' : 'moon'} />}
          onClick={() => setColorScheme(scheme === 'dark' ? 'light' : 'dark')}
        >
          {scheme === 'dark' ? 'Light appearance' : 'Dark appearance'}
        </Menu.Item>
        <Menu.Divider />
        <Menu.Item leftSection={<Icon name="leave" />} onClick={() => void signIn.signOut(pathTo('signedOut', {}))}>
          Sign out
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  )
}
