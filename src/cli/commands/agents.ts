import type { Command } from 'commander'
import type { Agent, AgentDetail, AgentVersion } from '../../features/agents/schema.ts'
import type { Cli } from '../cli.ts'
import { facts, table } from '../output.ts'
import { collect, limitOption } from './lists.ts'

export function addAgentCommands(program: Command, cli: () => Cli): void {
  const agents = program.command('agents').description('the catalog of your organization')
  agents
    .command('list', { isDefault: true })
    .description('list agents, newest first')
    .addOption(limitOption())
    .action(async ({ limit }: { limit: number }) => {
      const { api, output } = cli()
      const items = await collect(api.list<Agent>('/agents', limit))
      const rows = items.map((one) => [one.name, one.activeVersion ?? '-', one.status, one.description.slice(0, 60)])
      output.result(items, table(output, ['NAME', 'VERSION', 'STATUS', 'DESCRIPTION'], rows))
    })
  agents
    .command('show')
    .description('say what an agent does and what it needs')
    .argument('<name>')
    .action(async (name: string) => {
      const { api, output } = cli()
      const agent = await api.call<AgentDetail>('GET', `/agents/${encodeURIComponent(name)}`)
      const { properties = {} } = agent.input as { properties?: Record<string, { title?: string }> }
      output.result(
        agent,
        facts(output, [
          ['name', agent.name],
          ['version', agent.activeVersion ?? '-'],
          ['status', agent.status],
          ['description', agent.description],
          ['input', Object.keys(properties).join(', ') || '-'],
        ]),
      )
    })
  addVersionCommands(agents, cli)
}

function addVersionCommands(agents: Command, cli: () => Cli): void {
  agents
    .command('versions')
    .description('list the versions of an agent, newest first')
    .argument('<name>')
    .addOption(limitOption())
    .action(async (name: string, { limit }: { limit: number }) => {
      const { api, output } = cli()
      const items = await collect(api.list<AgentVersion>(`/agents/${encodeURIComponent(name)}/versions`, limit))
      const rows = items.map((one) => [one.version, one.active ? 'active' : '', one.createdAt, one.digest.slice(0, 12)])
      output.result(items, table(output, ['VERSION', '', 'DEPLOYED', 'DIGEST'], rows))
    })
  agents
    .command('promote')
    .description('make a version the active one; an older one to roll back')
    .argument('<name>')
    .argument('<version>')
    .action(async (name: string, version: string) => {
      const { api, output } = cli()
      const path = `/agents/${encodeURIComponent(name)}/versions/${encodeURIComponent(version)}/promote`
      output.result(await api.call('POST', path), `${name} ${version} is active`)
    })
  agents
    .command('archive')
    .description('let nobody start an agent until a version is promoted again')
    .argument('<name>')
    .action(async (name: string) => {
      const { api, output } = cli()
      output.result(await api.call('POST', `/agents/${encodeURIComponent(name)}/archive`), `${name} is archived`)
    })
}
