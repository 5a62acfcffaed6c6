import { Anchor } from '@mantine/core'
import type { ReactNode } from 'react'
import { Link } from 'wouter'
import { usePerson } from '../organization.ts'
import { pathTo } from '../paths.ts'
import { Shell } from './shell.tsx'

/** The frame of pages that belong to the person or the platform, and to no organization. */
export default function PersonalPage({ children }: { readonly children: ReactNode }) {
  const { organizations } = usePerson()
  const heading =
    organizations.length > 0 ? (
      <Anchor component={Link} href={pathTo('start', {})} size="sm">
        To your organizations
      </Anchor>
    ) : null
  return <Shell heading={heading}>{children}</Shell>
}
