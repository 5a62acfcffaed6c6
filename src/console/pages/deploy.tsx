import { Alert, Button, Card, Checkbox, Group, Progress, Stack, Text, TextInput } from '@mantine/core'
import { type SubmitEvent, useState } from 'react'
import { Link, useSearchParams } from 'wouter'
import type { AgentVersion } from '../../features/agents/schema.ts'
import { useDeed } from '../api/hooks.ts'
import { deeds } from '../api/resources.ts'
import { useCan, useTo } from '../organization.ts'
import { Faults } from '../parts/faults.tsx'
import { FileDrop } from '../parts/file-drop.tsx'
import { Icon } from '../parts/icons.tsx'
import { Page } from '../parts/page.tsx'
import { NoPermission } from '../parts/states.tsx'

/** Uploads a package; what is wrong with it is shown place by place. */
export default function Deploy() {
  const to = useTo()
  const can = useCan()
  const [search] = useSearchParams()
  const [name, setName] = useState(search.get('agent') ?? '')
  const [file, setFile] = useState<File | null>(null)
  const [promote, setPromote] = useState(true)
  const [share, setShare] = useState(0)
  const deploy = useDeed(
    (api, form: FormData) => api.upload<AgentVersion>(deeds.deploy(name, promote), form, setShare),
    ['/v1/agents'],
  )
  const choose = (chosen: File | null) => {
    setFile(chosen)
    deploy.reset()
    if (chosen && name === '') setName(nameOf(chosen.name))
  }
  const submit = (event: SubmitEvent) => {
    event.preventDefault()
    if (!file) return
    const form = new FormData()
    form.append('package', file, file.name)
    deploy.mutate(form)
  }
  if (!can('agents:write')) return <NoPermission detail="Deploying agents is for builders and administrators" />
  return (
    <Page title="Deploy a package" back={['Agents', to('agents', {})]}>
      <form onSubmit={submit}>
        <Stack maw={720}>
          <Card>
            <Stack>
              <FileDrop
                label="Package"
                description="A folder with agent.json, its tools and prompts, as .zip or .tar.gz; at most 20 MB."
                accept=".zip,.tar.gz,.tgz,application/zip,application/gzip"
                required
                file={file}
                onFile={choose}
              />
              <TextInput
                label="Agent"
                description="The name in agent.json. A new name makes a new agent, a known one gets a new version."
                pattern="[a-z0-9]+(-[a-z0-9]+)*"
                maxLength={64}
                required
                value={name}
                onChange={({ currentTarget }) => setName(currentTarget.value)}
              />
              <Checkbox
                label="Make it the active version"
                description="New sessions use it at once. Without this, promote it later."
                checked={promote}
                onChange={({ currentTarget }) => setPromote(currentTarget.checked)}
              />
              {deploy.isPending && <Progress value={share * 100} animated aria-label="Upload" />}
              <Group justify="flex-end">
                <Button type="submit" loading={deploy.isPending} disabled={!file || name === ''}>
                  Deploy
                </Button>
              </Group>
            </Stack>
          </Card>
          {deploy.error && <Faults error={deploy.error} title="The package was not deployed" />}
          {deploy.data && <Deployed version={deploy.data} />}
        </Stack>
      </form>
    </Page>
  )
}

function Deployed({ version: { agent, version, active } }: { readonly version: AgentVersion }) {
  const to = useTo()
  return (
    <Alert color="pine" icon={<Icon name="check" />} title={`${agent} ${version} is deployed`} role="status">
      <Group justify="space-between">
        <Text size="sm">{active ? 'It is the active version.' : 'Promote it when it is ready.'}</Text>
        <Button component={Link} href={to('agent', { name: agent })} size="xs">
          Show the agent
        </Button>
      </Group>
    </Alert>
  )
}

/** `hourly-tracking-1.2.0.tar.gz` -> `hourly-tracking`. */
function nameOf(fileName: string): string {
  return fileName
    .replace(/\.(zip|tar\.gz|tgz)$/i, '')
    .replace(/[-_]?v?\d+\.\d+\.\d+$/, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
}
