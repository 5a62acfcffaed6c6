import { Button, Card, Group, Stack, Text, Textarea } from '@mantine/core'
import { useState } from 'react'
import type { ChatMessage } from '../../../features/messages/schema.ts'
import { useDeed, useResource } from '../../api/hooks.ts'
import { deeds, resources } from '../../api/resources.ts'
import type { Writing } from '../../api/writing.ts'
import { useCan } from '../../organization.ts'
import { Actor } from '../../parts/actor.tsx'
import { Section } from '../../parts/page.tsx'
import { ErrorState } from '../../parts/states.tsx'
import { Time } from '../../parts/time.tsx'
import { Value } from '../../parts/value.tsx'

interface ChatProps {
  readonly sessionId: string
  readonly writing: readonly Writing[]
}

/** What the run asks and people answer, oldest first, and what models are writing now. Nothing where nobody talks. */
export function Chat({ sessionId, writing }: ChatProps) {
  const can = useCan()
  const { data } = useResource(resources.messages(sessionId))
  const messages = [...(data?.items ?? [])].reverse()
  if (messages.length === 0 && writing.length === 0) return null
  const asked = messages.filter(({ status }) => status === 'pending')
  return (
    <Section title="Chat">
      <Card padding="md">
        <Stack gap="md" role="log" aria-label="Chat">
          {messages.map((message) => (
            <Exchange key={message.id} message={message} />
          ))}
          {writing.map(({ call, nodeId, text }) => (
            <Stack key={call} gap={2}>
              <Text size="xs" c="dimmed">
                {nodeId} is writing…
              </Text>
              <Text className="prose" c="dimmed">
                {text}
              </Text>
            </Stack>
          ))}
          {can('runs:write') &&
            asked.map((question) => <Answer key={question.id} question={question} several={asked.length > 1} />)}
        </Stack>
      </Card>
    </Section>
  )
}

function Exchange({ message }: { readonly message: ChatMessage }) {
  const { nodeId, prompt, evidence, askedAt, text, answeredBy, answeredAt, status } = message
  return (
    <Stack gap={6}>
      <Text size="xs" c="dimmed">
        {nodeId} · <Time value={askedAt} />
        {status === 'withdrawn' && ' · not answered'}
      </Text>
      <Text className="prose">{prompt}</Text>
      {evidence.map(({ key, value }) => (
        <Value key={key} label={key} value={value} />
      ))}
      {answeredBy && answeredAt && (
        <Stack gap={2} pl="md" style={{ borderLeft: '3px solid var(--mantine-color-pine-4)' }}>
          <Text size="xs" c="dimmed">
            <Actor value={answeredBy} /> · <Time value={answeredAt} />
          </Text>
          <Text className="prose">{text}</Text>
        </Stack>
      )}
    </Stack>
  )
}

function Answer({ question, several }: { readonly question: ChatMessage; readonly several: boolean }) {
  const [text, setText] = useState('')
  const send = useDeed(
    (api, said: string) =>
      api.post<ChatMessage>(deeds.answer(question.sessionId), { text: said, messageId: question.id }),
    ['/v1/sessions'],
  )
  const ready = text.trim() !== '' && !send.isPending
  const answer = () => ready && send.mutate(text.trim())
  return (
    <Stack gap="xs">
      {send.error && <ErrorState error={send.error} />}
      <Group align="flex-end" gap="sm" wrap="nowrap">
        <Textarea
          style={{ flex: 1 }}
          aria-label="Your answer"
          placeholder={several ? `Answer ${question.nodeId}: ${question.prompt.slice(0, 60)}` : 'Your answer'}
          maxLength={16_000}
          autosize
          minRows={1}
          maxRows={8}
          value={text}
          onChange={({ currentTarget }) => setText(currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) answer()
          }}
        />
        <Button disabled={!ready} loading={send.isPending} onClick={answer}>
          Send
        </Button>
      </Group>
    </Stack>
  )
}
