import { Alert, Button, Card, Group, Progress, Stack, Text, TextInput } from '@mantine/core'
import { type SubmitEvent, useState } from 'react'
import { useLocation } from 'wouter'
import type { AgentDetail } from '../../features/agents/schema.ts'
import type { SessionCreate, SessionDetail } from '../../features/sessions/schema.ts'
import { useDeed, useResource } from '../api/hooks.ts'
import { Problem } from '../api/problem.ts'
import { deeds, resources } from '../api/resources.ts'
import { useCan, useTo } from '../organization.ts'
import { Faults } from '../parts/faults.tsx'
import { Page } from '../parts/page.tsx'
import { defaultsOf, type JsonSchema, type Values } from '../parts/schema.ts'
import { SchemaForm } from '../parts/schema-form.tsx'
import { NoPermission, Show } from '../parts/states.tsx'

/** A form made of the agent's input schema; sending it starts a session. */
export default function StartSession({ name }: { readonly name: string }) {
  const to = useTo()
  const can = useCan()
  const agent = useResource(resources.agent(name), { enabled: can('runs:write') })
  if (!can('runs:write'))
    return <NoPermission detail="Starting sessions is for operators, builders and administrators" />
  return (
    <Page title="Start a session" back={[name, to('agent', { name })]}>
      <Show reading={agent}>{(detail) => <InputForm agent={detail} />}</Show>
    </Page>
  )
}

interface Input {
  readonly request: SessionCreate
  readonly files: Readonly<Record<string, File>>
}

function InputForm({ agent }: { readonly agent: AgentDetail }) {
  const schema = agent.input as JsonSchema
  const to = useTo()
  const [, navigate] = useLocation()
  const [title, setTitle] = useState('')
  const [values, setValues] = useState<Values>(() => defaultsOf(schema))
  const [files, setFiles] = useState<Readonly<Record<string, File>>>({})
  const [missing, setMissing] = useState<Readonly<Record<string, string>>>({})
  const [share, setShare] = useState(0)
  const start = useDeed(
    (api, { request, files }: Input) =>
      Object.keys(files).length === 0
        ? api.post<SessionDetail>(deeds.startSession, request)
        : api.upload<SessionDetail>(deeds.startSession, formOf(request, files), setShare),
    ['/v1/sessions'],
  )
  const setFile = (name: string, file: File | null) => {
    const { [name]: _, ...others } = files
    setFiles(file ? { ...others, [name]: file } : others)
    start.reset()
  }
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    const lacking = (schema.required ?? []).filter((name) => values[name] === undefined && !files[name])
    setMissing(Object.fromEntries(lacking.map((name) => [name, 'This is needed'])))
    if (lacking.length > 0) return
    setShare(0)
    const request = { agent: agent.name, ...(title.trim() ? { title: title.trim() } : {}), input: { ...values } }
    start.mutate({ request, files }, { onSuccess: ({ id }) => navigate(to('session', { sessionId: id })) })
  }
  if (agent.status === 'archived' || !agent.activeVersion)
    return (
      <Alert color="gray" title="This agent has no active version">
        A builder promotes a version first.
      </Alert>
    )
  const sending = start.isPending && Object.keys(files).length > 0
  return (
    <form onSubmit={submit} noValidate>
      <Stack maw={760}>
        <Text c="dimmed" size="sm" lineClamp={3}>
          {agent.description}
        </Text>
        <Card>
          <Stack>
            <TextInput
              label="Title"
              description="How you will find it again. Made for you when left empty."
              maxLength={200}
              value={title}
              onChange={({ currentTarget }) => setTitle(currentTarget.value)}
            />
            <SchemaForm
              schema={schema}
              values={values}
              onChange={setValues}
              files={files}
              onFile={setFile}
              faults={{ ...faultsByField(start.error), ...missing }}
            />
            {sending && (
              <Stack gap={4}>
                <Progress value={share * 100} animated={share === 1} aria-label="Upload" />
                <Text size="xs" c="dimmed" role="status">
                  {share < 1 ? `Sending, ${Math.round(share * 100)} %` : 'Sent; the server checks every row'}
                </Text>
              </Stack>
            )}
            <Group justify="flex-end">
              <Button type="submit" loading={start.isPending}>
                Start
              </Button>
            </Group>
          </Stack>
        </Card>
        {start.error && <Faults error={start.error} title="The session was not started" />}
      </Stack>
    </form>
  )
}

/** The JSON part first: the server reads the parts in their order. */
function formOf(request: SessionCreate, files: Readonly<Record<string, File>>): FormData {
  const form = new FormData()
  form.append('request', new Blob([JSON.stringify(request)], { type: 'application/json' }))
  for (const [name, file] of Object.entries(files)) form.append(name, file, file.name)
  return form
}

/** The first fault of each field; `input/invoice/total` and a file's name lead to fields. */
function faultsByField(error: unknown): Record<string, string> {
  if (!(error instanceof Problem)) return {}
  const found = error.faults.map(({ file, path, line, reason }): [string, string] => {
    const field = file?.replace(/\.csv$/, '') ?? path?.replace(/^(body\/)?input\/?/, '') ?? ''
    return [field, line === undefined ? reason : `Line ${line}: ${reason}`]
  })
  return Object.fromEntries(found.reverse())
}
