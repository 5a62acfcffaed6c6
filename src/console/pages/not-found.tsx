import { Button } from '@mantine/core'
import { Link } from 'wouter'
import { Page } from '../parts/page.tsx'
import { Empty } from '../parts/states.tsx'
import { pathTo } from '../paths.ts'

/** An address that leads nowhere, or into an organization that is not the person's: both look the same. */
export default function NotFound() {
  return (
    <Page title="Not found">
      <Empty
        icon="alert"
        title="There is nothing here for you"
        action={
          <Button component={Link} href={pathTo('start', {})}>
            To the start
          </Button>
        }
      >
        The address is wrong, or it belongs to an organization that is suspended or that you are not a member of.
      </Empty>
    </Page>
  )
}
