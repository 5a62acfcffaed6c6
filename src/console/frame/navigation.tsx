import { Badge, NavLink, Stack } from '@mantine/core'
import { Link, useLocation } from 'wouter'
import { useResource } from '../api/hooks.ts'
import { resources } from '../api/resources.ts'
import { useCan, useTo } from '../organization.ts'
import { Icon, type IconName } from '../parts/icons.tsx'
import type { PageName } from '../paths.ts'

type Place = readonly [page: PageName, label: string, icon: IconName, permission: string]

const places: readonly Place[] = [
  ['home', 'Home', 'home', 'runs:read'],
  ['approvals', 'Approvals', 'inbox', 'approvals:read'],
  ['sessions', 'Sessions', 'play', 'runs:read'],
  ['agents', 'Agents', 'agents', 'agents:read'],
  ['reports', 'Reports', 'report', 'reports:read'],
  ['members', 'Members', 'members', 'members:read'],
  ['audit', 'Audit', 'audit', 'audit:read'],
]

/** The way to every page that the person's roles open. */
export function Navigation({ onChosen }: { readonly onChosen: () => void }) {
  const can = useCan()
  const to = useTo()
  const [location] = useLocation()
  return (
    <Stack gap={2} component="nav" aria-label="Main">
      {places
        .filter(([, , , permission]) => can(permission))
        .map(([page, label, icon]) => {
          const path = to(page as 'home', {})
          const active = page === 'home' ? location === path : location === path || location.startsWith(`${path}/`)
          return (
            <NavLink
              key={page}
              component={Link}
              href={path}
              label={label}
              leftSection={<Icon name={icon} />}
              rightSection={page === 'approvals' ? <Waiting /> : null}
              active={active}
              aria-current={active ? 'page' : undefined}
              onClick={onChosen}
              style={{ borderRadius: 'var(--mantine-radius-md)' }}
            />
          )
        })}
    </Stack>
  )
}

const pollMs = 15_000

/** How many approvals wait. */
function Waiting() {
  const { data } = useResource(resources.approvals({ status: 'pending', limit: 20 }), { everyMs: pollMs })
  const waiting = data?.items.length ?? 0
  if (waiting === 0) return null
  return (
    <Badge color="amber" variant="filled" size="sm" circle={waiting < 10} aria-label={`${waiting} waiting`}>
      {data?.nextCursor ? `${waiting}+` : waiting}
    </Badge>
  )
}
