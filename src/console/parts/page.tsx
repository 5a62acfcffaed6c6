import { Anchor, Box, Group, Stack, Text, Title } from '@mantine/core'
import { type ReactNode, useContext, useEffect } from 'react'
import { Link } from 'wouter'
import { OrganizationContext } from '../organization.ts'
import { Icon } from './icons.tsx'

interface PageProps {
  readonly title: string
  /** The page above this one. */
  readonly back?: readonly [label: string, path: string]
  readonly aside?: ReactNode
  readonly actions?: ReactNode
  readonly children: ReactNode
}

/** A page's title, what can be done on it, and the way up. */
export function Page({ title, back, aside, actions, children }: PageProps) {
  const organization = useContext(OrganizationContext)
  const name = organization?.name
  useEffect(() => {
    document.title = [title, name, 'EngineX'].filter(Boolean).join(' · ')
  }, [title, name])
  return (
    <Stack gap="lg" maw={1240} mx="auto">
      <Box>
        {back && (
          <Anchor component={Link} href={back[1]} size="sm" c="dimmed">
            ← {back[0]}
          </Anchor>
        )}
        <Group justify="space-between" align="center" mt={back ? 4 : 0} className="page-head">
          <Group gap="sm" miw={0} style={{ flex: '1 1 320px' }}>
            <Title order={1} size="h2">
              {title}
            </Title>
            {aside}
          </Group>
          {actions && <Group gap="xs">{actions}</Group>}
        </Group>
      </Box>
      {children}
    </Stack>
  )
}

interface SectionProps {
  readonly title: string
  readonly aside?: ReactNode
  /** Where all of it is. */
  readonly more?: readonly [label: string, path: string]
  readonly children: ReactNode
}

/** A part of a page under its heading. */
export function Section({ title, aside, more, children }: SectionProps) {
  return (
    <Stack gap="sm" component="section" aria-label={title} miw={0}>
      <Group justify="space-between">
        <Group gap="xs">
          <Title order={2} size="h4">
            {title}
          </Title>
          {aside}
        </Group>
        {more && (
          <Anchor component={Link} href={more[1]} size="sm">
            <Group gap={2} component="span">
              <Text span inherit>
                {more[0]}
              </Text>
              <Icon name="right" size={14} />
            </Group>
          </Anchor>
        )}
      </Group>
      {children}
    </Stack>
  )
}
