import { Alert, Button, Card, Group, Stack, Text } from '@mantine/core'
import { useState } from 'react'
import { Link } from 'wouter'
import type { ApprovalDetail } from '../../features/approvals/schema.ts'
import { useResource } from '../api/hooks.ts'
import { resources } from '../api/resources.ts'
import { useCan, useTo } from '../organization.ts'
import { Actor } from '../parts/actor.tsx'
import { Icon } from '../parts/icons.tsx'
import { Page, Section } from '../parts/page.tsx'
import type { JsonSchema } from '../parts/schema.ts'
import { Show } from '../parts/states.tsx'
import { Status } from '../parts/status.tsx'
import { count, humanize } from '../parts/text.ts'
import { Time } from '../parts/time.tsx'
import { Value } from '../parts/value.tsx'
import { DecisionBar } from './approval/decision-bar.tsx'
import { ProposalEditor } from './approval/proposal-editor.tsx'

/** One question: what is asked, what speaks for it, and the answer. */
export default function Approval({ approvalId }: { readonly approvalId: string }) {
  const to = useTo()
  const approval = useResource(resources.approval(approvalId))
  return (
    <Page
      title={approval.data?.title ?? 'Approval'}
      back={['Approvals', to('approvals', {})]}
      aside={approval.data && <Status value={approval.data.status} />}
      actions={
        approval.data && (
          <Button component={Link} href={to('session', { sessionId: approval.data.sessionId })} variant="default">
            Go to the session
          </Button>
        )
      }
    >
      <Show reading={approval} lines={8}>
        {(data) => <Question key={data.payloadHash + data.status} approval={data} />}
      </Show>
    </Page>
  )
}

function Question({ approval }: { readonly approval: ApprovalDetail }) {
  const can = useCan()
  const { proposal, editSchema, status } = approval
  const [values, setValues] = useState<unknown>(proposal?.value)
  const [valid, setValid] = useState(true)
  const pending = status === 'pending'
  const deciding = pending && can('approvals:write') && approval.mayDecide
  const changed = proposal !== null && values !== proposal.value
  return (
    <Stack gap="lg">
      <Card>
        <Stack gap="xs">
          <Text className="prose">{approval.message.trim()}</Text>
          <Text size="sm" c="dimmed">
            {approval.agent} · step {approval.nodeId} · asked <Time value={approval.requestedAt} />
          </Text>
          {pending && approval.quorum > 1 && <Agreed approval={approval} />}
        </Stack>
      </Card>
      {!pending && <Answer approval={approval} />}
      {proposal && (
        <Section title={pending ? 'Proposal' : `Proposal: ${humanize(proposal.key).toLowerCase()}`}>
          {deciding ? (
            <ProposalEditor
              schema={editSchema as JsonSchema | null}
              original={proposal.value}
              values={values}
              onChange={(next, fits) => {
                setValues(next)
                setValid(fits)
              }}
            />
          ) : (
            <Value label="Proposal" value={status === 'edited' ? approval.edited : proposal.value} />
          )}
        </Section>
      )}
      {approval.evidence.map(({ key, value }) => (
        <Section key={key} title={humanize(key)} aside={<Amount value={value} />}>
          {isEmpty(value) ? (
            <Text size="sm" c="dimmed">
              None.
            </Text>
          ) : (
            <Value label={humanize(key)} value={value} />
          )}
        </Section>
      ))}
      {deciding && <DecisionBar approval={approval} edited={changed ? values : undefined} valid={valid} />}
      {pending && !deciding && (
        <Alert icon={<Icon name="clock" />} color="gray" title="This waits for a decision">
          {can('approvals:write')
            ? 'Others decide it: the policy asks for them, or you have answered already.'
            : 'Your roles let you read it. An operator or an administrator decides.'}
        </Alert>
      )}
    </Stack>
  )
}

/** How many of the people who must agree have done so, and who. */
function Agreed({ approval: { answers: given, quorum, stage } }: { readonly approval: ApprovalDetail }) {
  const standing = given.filter((answer) => answer.stands && answer.stage === stage)
  return (
    <Text size="sm" component="div">
      <b>
        {standing.length} of {quorum} agreed
      </b>
      {standing.map(({ by, reason, decidedAt }) => (
        <div key={by}>
          <Actor value={by} />, <Time value={decidedAt} />: “{reason}”
        </div>
      ))}
    </Text>
  )
}

function Amount({ value }: { readonly value: unknown }) {
  if (!Array.isArray(value) || value.length === 0) return null
  return (
    <Text size="sm" c="dimmed">
      {count(value.length, 'row')}
    </Text>
  )
}

function isEmpty(value: unknown): boolean {
  return value === null || (typeof value === 'object' && Object.keys(value as object).length === 0)
}

const answers: Readonly<Record<string, string>> = {
  approved: 'Approved as proposed',
  edited: 'Approved with edits',
  rejected: 'Rejected',
  withdrawn: 'Withdrawn: the run ended before anybody answered',
}

function Answer({ approval: { status, decidedBy, decidedAt, reason } }: { readonly approval: ApprovalDetail }) {
  const color = status === 'rejected' ? 'grape' : status === 'withdrawn' ? 'gray' : 'pine'
  return (
    <Alert color={color} icon={<Icon name={status === 'rejected' ? 'cross' : 'check'} />} title={answers[status]}>
      <Group gap="xs">
        {decidedAt && (
          <Text size="sm">
            by <Actor value={decidedBy} />, <Time value={decidedAt} />
          </Text>
        )}
      </Group>
      {reason && (
        <Text size="sm" className="prose" mt={4}>
          “{reason}”
        </Text>
      )}
    </Alert>
  )
}
