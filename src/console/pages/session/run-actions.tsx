import { Button } from '@mantine/core'
import type { Session } from '../../../features/sessions/schema.ts'
import { useDeed } from '../../api/hooks.ts'
import { deeds } from '../../api/resources.ts'
import { useCan } from '../../organization.ts'
import { Confirm } from '../../parts/confirm.tsx'
import { Icon } from '../../parts/icons.tsx'
import { ErrorState } from '../../parts/states.tsx'

type Verb = 'pause' | 'resume' | 'cancel'

/** What can be done with a run as it stands. */
export function RunActions({ session }: { readonly session: Session }) {
  const can = useCan()
  const act = useDeed(
    (api, verb: Verb) => api.post<Session>(deeds.run(session.id, verb)),
    ['/v1/sessions', '/v1/runs', '/v1/approvals'],
  )
  const { status, finishedAt } = session.run
  if (!can('runs:write') || finishedAt !== null) return null
  const verb: Verb = status === 'paused' ? 'resume' : 'pause'
  return (
    <>
      {act.error && act.variables !== 'cancel' && <ErrorState error={act.error} />}
      <Button
        variant="default"
        leftSection={<Icon name={verb === 'resume' ? 'play' : 'pause'} size={16} />}
        loading={act.isPending && act.variables === verb}
        onClick={() => act.mutate(verb)}
      >
        {verb === 'resume' ? 'Resume' : 'Pause'}
      </Button>
      <Confirm
        title={`Cancel “${session.title}”?`}
        verb="Cancel the run"
        pending={act.isPending}
        error={act.variables === 'cancel' ? act.error : null}
        onConfirm={() => act.mutateAsync('cancel')}
        trigger={(open) => (
          <Button variant="default" color="red" onClick={open}>
            Cancel
          </Button>
        )}
      >
        The run of {session.agent} ends where it is, open approvals are withdrawn, and it cannot be resumed.
      </Confirm>
    </>
  )
}
