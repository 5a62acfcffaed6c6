import { AppShell, Burger, Group, Text, UnstyledButton } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { type ReactNode, Suspense, useEffect } from 'react'
import { Link, useLocation } from 'wouter'
import { Loading } from '../parts/states.tsx'
import { pathTo } from '../paths.ts'
import { Boundary } from './boundary.tsx'
import { UserMenu } from './user-menu.tsx'

interface ShellProps {
  /** What stands beside the mark: the organization. */
  readonly heading: ReactNode
  readonly navigation?: (close: () => void) => ReactNode
  readonly children: ReactNode
}

/** The frame around every page. */
export function Shell({ heading, navigation, children }: ShellProps) {
  const [opened, { toggle, close }] = useDisclosure(false)
  const [location] = useLocation()
  // biome-ignore lint/correctness/useExhaustiveDependencies: another page begins at its top
  useEffect(() => {
    scrollTo(0, 0)
  }, [location])
  return (
    <AppShell
      header={{ height: 56 }}
      {...(navigation ? { navbar: { width: 216, breakpoint: 'sm', collapsed: { mobile: !opened } } } : {})}
      padding={{ base: 'md', md: 'xl' }}
    >
      <a className="skip-link" href="#page">
        Skip to the page
      </a>
      <AppShell.Header className="shell-header">
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Group gap="md" wrap="nowrap">
            {navigation && (
              <Burger opened={opened} onClick={toggle} hiddenFrom="sm" size="sm" aria-label="Navigation" />
            )}
            <UnstyledButton component={Link} href={pathTo('start', {})} aria-label="EngineX, start" visibleFrom="sm">
              <Group gap={8} wrap="nowrap" w={184}>
                <img src="/favicon.svg" alt="" width={24} height={24} />
                <Text fw={750} size="lg">
                  EngineX
                </Text>
              </Group>
            </UnstyledButton>
            {heading}
          </Group>
          <UserMenu />
        </Group>
      </AppShell.Header>
      {navigation && (
        <AppShell.Navbar p="sm" className="shell-navbar">
          {navigation(close)}
        </AppShell.Navbar>
      )}
      <AppShell.Main id="page" tabIndex={-1}>
        <Boundary>
          <Suspense fallback={<Loading />}>{children}</Suspense>
        </Boundary>
      </AppShell.Main>
    </AppShell>
  )
}
