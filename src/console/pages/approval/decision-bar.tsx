import { Alert, Button, Card, Group, Stack, Text, Textarea } from '@mantine/core'
import { notifications } from '@mantine/notifications'
import { useState } from 'react'
import type { ApprovalDetail, Decision } from '../../../features/approvals/schema.ts'
import { useDeed, useRefresh } from '../../api/hooks.ts'
import { Problem } from '../../api/problem.ts'
import { deeds } from '../../api/resources.ts'
import { Faults } from '../../parts/faults.tsx'
import { Icon } from '../../parts/icons.tsx'

interface DecisionBarProps {
  readonly approval: ApprovalDetail
  /** The changed values; undefined while the proposal is as it was. */
  readonly edited: unknown
  readonly valid: boolean
}

const done: Readonly<Record<Decision['decision'], string>> = {
  approve: 'Approved. The run goes on.',
  edit: 'Approved with your edits. The run goes on.',
  reject: 'Rejected. The run goes on with your reason.',
}

/** The answer: agree, agree with changes, or refuse; always with a reason, which is recorded beside the name. */
export function DecisionBar({ approval, edited, valid }: DecisionBarProps) {
  const [reason, setReason] = useState('')
  const [missing, setMissing] = useState(false)
  const decide = useDeed(
    (api, decision: Decision) => api.post<ApprovalDetail>(deeds.decide(approval.id), decision),
    ['/v1/approvals', '/v1/sessions', '/v1/reports'],
  )
  const agree = edited === undefined ? 'approve' : 'edit'
  const answer = (decision: Decision['decision']) => {
    if (reason.trim() === '') return setMissing(true)
    const values = decision === 'edit' ? { values: edited } : {}
    decide.mutate(
      { decision, payloadHash: approval.payloadHash, reason: reason.trim(), ...values },
      {
        onSuccess: ({ status }) => {
          const title = status === 'pending' ? 'Recorded. Others must agree as well.' : done[decision]
          notifications.show({ title, message: approval.title })
          scrollTo(0, 0)
        },
      },
    )
  }
  return (
    <Card className="sticky-bar" shadow="none">
      <Stack gap="sm">
        {decide.error && <Refused error={decide.error} />}
        <Group align="flex-start" gap="md" wrap="wrap">
          <Textarea
            style={{ flex: '1 1 320px' }}
            aria-label="Reason"
            placeholder="Why? It is recorded with your name."
            maxLength={2000}
            autosize
            minRows={1}
            maxRows={5}
            required
            value={reason}
            error={missing ? 'Give a reason first' : undefined}
            onChange={({ currentTarget }) => {
              setReason(currentTarget.value)
              setMissing(false)
            }}
            onKeyDown={(event) => {
              if (event.key === 'Enter' && (event.ctrlKey || event.metaKey) && valid) answer(agree)
            }}
          />
          <Group gap="xs">
            <Button
              variant="default"
              leftSection={<Icon name="cross" size={16} />}
              disabled={decide.isPending}
              onClick={() => answer('reject')}
            >
              Reject
            </Button>
            <Button
              leftSection={<Icon name="check" size={16} />}
              loading={decide.isPending}
              disabled={!valid}
              onClick={() => answer(agree)}
            >
              {edited === undefined ? 'Approve' : 'Approve with edits'}
            </Button>
          </Group>
        </Group>
        <Text size="xs" c="dimmed" visibleFrom="sm">
          Ctrl + Enter approves. A decision cannot be taken back.
        </Text>
      </Stack>
    </Card>
  )
}

/** The two refusals that a person can do something about, explained. */
function Refused({ error }: { readonly error: unknown }) {
  const refresh = useRefresh()
  const code = error instanceof Problem ? error.code : ''
  const look = (
    <Button size="xs" variant="default" onClick={() => void refresh('/v1/approvals')}>
      Show it as it is now
    </Button>
  )
  if (code === 'already_decided')
    return (
      <Alert color="amber" icon={<Icon name="alert" />} title="Somebody else was faster" role="alert">
        <Stack gap="xs" align="flex-start">
          <Text size="sm">
            This approval has been decided while you were looking at it. Your answer was not recorded.
          </Text>
          {look}
        </Stack>
      </Alert>
    )
  if (code === 'payload_changed')
    return (
      <Alert color="amber" icon={<Icon name="alert" />} title="The question has changed" role="alert">
        <Stack gap="xs" align="flex-start">
          <Text size="sm">
            What is asked now differs from what you saw, so your answer was not recorded. Look at it again, then decide.
          </Text>
          {look}
        </Stack>
      </Alert>
    )
  return <Faults error={error} title="Your decision was not recorded" />
}
