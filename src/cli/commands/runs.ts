import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import type { Command } from 'commander'
import type { Static } from 'typebox'
import type { Session, SessionDetail, SessionEventList } from '../../features/sessions/schema.ts'
import type { Cli } from '../cli.ts'
import { CliError, exitCodes } from '../failure.ts'
import { facts, table } from '../output.ts'
import { follow, showEvent } from '../watch.ts'
import { collect, limitOption } from './lists.ts'

type SessionEvents = Static<typeof SessionEventList>

interface RunOptions {
  readonly input?: string
  readonly set: readonly string[]
  readonly file: readonly string[]
  readonly title?: string
  readonly agentVersion?: string
  readonly entryPoint?: string
  readonly watch?: true
}

export function addRunCommands(program: Command, cli: () => Cli): void {
  const many = (value: string, before: readonly string[]) => [...before, value]
  program
    .command('run')
    .description('start a session of an agent')
    .argument('<agent>')
    .option('--input <file>', 'the input as a JSON file; - for standard input')
    .option('--set <name=value>', 'one value of the input; JSON where it is JSON, else text', many, [])
    .option('--file <name=path>', 'a file of the input, such as a CSV', many, [])
    .option('--title <text>', 'what the session is called')
    .option('--agent-version <version>', 'another version than the active one; needs the right to deploy')
    .option('--entry-point <name>', 'begin at another entry of the workflow')
    .option('--watch', 'follow it until it ends or waits for a person')
    .addHelpText(
      'after',
      '\nExamples:\n  enginex run greeter --set person=Ada --watch\n  enginex run hourly-tracking --file broker=broker.csv --file investor=investor.csv',
    )
    .action((agent: string, options: RunOptions) => run(cli(), agent, options))
  const sessions = program.command('sessions').description('sessions and their runs')
  sessions
    .command('list', { isDefault: true })
    .description('list sessions, newest first')
    .option('--agent <name>', 'of this agent only')
    .addOption(limitOption())
    .action((options: { agent?: string; limit: number }) => list(cli(), options))
  sessions
    .command('show')
    .description('say how a session stands')
    .argument('<id>')
    .action(async (id: string) =>
      show(cli(), await cli().api.call<SessionDetail>('GET', `/sessions/${encodeURIComponent(id)}`)),
    )
  for (const [name, what] of [
    ['pause', 'stop a run at the end of its step'],
    ['resume', 'let a paused run go on'],
    ['cancel', 'end a run'],
  ] as const) {
    sessions
      .command(name)
      .description(what)
      .argument('<id>')
      .action(async (id: string) =>
        show(cli(), await cli().api.call<Session>('POST', `/sessions/${encodeURIComponent(id)}/${name}`)),
      )
  }
  program
    .command('logs')
    .description('print what happened in a session')
    .argument('<session>')
    .option('--follow', 'go on until the run ends')
    .action((id: string, { follow: on }: { follow?: true }) => logs(cli(), id, on === true))
}

async function run(cli: Cli, agent: string, options: RunOptions): Promise<void> {
  const { api, output } = cli
  const { title, agentVersion: version, entryPoint } = options
  const input = await inputOf(cli, options)
  const body = {
    agent,
    input,
    ...(title ? { title } : {}),
    ...(version ? { version } : {}),
    ...(entryPoint ? { entryPoint } : {}),
  }
  const request = options.file.length > 0 ? { form: await formOf(body, options.file) } : { json: body }
  const session = await api.call<SessionDetail>('POST', '/sessions', request)
  if (options.watch !== true) return show(cli, session)
  output.note(`session ${session.id}`)
  await watch(cli, session.id)
}

/** The input from a file, then single values on top of it. */
async function inputOf({ readInput }: Cli, { input, set }: RunOptions): Promise<Record<string, unknown>> {
  const text = input === undefined ? '{}' : input === '-' ? await readInput() : await readText(input)
  const values = parse(text)
  if (typeof values !== 'object' || values === null || Array.isArray(values)) {
    throw new CliError(exitCodes.usage, 'input_invalid', 'the input must be a JSON object')
  }
  return { ...values, ...Object.fromEntries(set.map((pair) => [nameIn(pair), parse(valueIn(pair))])) }
}

async function formOf(body: object, files: readonly string[]): Promise<FormData> {
  const form = new FormData()
  form.append('request', JSON.stringify(body))
  for (const pair of files) {
    const path = valueIn(pair)
    form.append(nameIn(pair), new Blob([new Uint8Array(Buffer.from(await readText(path)))]), basename(path))
  }
  return form
}

async function readText(path: string): Promise<string> {
  return await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new CliError(exitCodes.usage, 'file_missing', `${path} cannot be read: ${error.code ?? error.message}`)
  })
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function nameIn(pair: string): string {
  const at = pair.indexOf('=')
  if (at > 0) return pair.slice(0, at)
  throw new CliError(exitCodes.usage, 'invalid_request', `"${pair}" must look like name=value`)
}

function valueIn(pair: string): string {
  return pair.slice(nameIn(pair).length + 1)
}

async function list({ api, output }: Cli, { agent, limit }: { agent?: string; limit: number }): Promise<void> {
  const items = await collect(api.list<Session>('/sessions', limit, { agent }))
  const rows = items.map(({ id, agent: name, run: { status, currentNode }, createdAt, title }) => [
    id,
    name,
    status,
    currentNode ?? '-',
    createdAt,
    title,
  ])
  output.result(items, table(output, ['ID', 'AGENT', 'STATUS', 'AT', 'STARTED', 'TITLE'], rows))
}

function show({ output }: Cli, session: Session): void {
  const { id, title, agent, version, run: last } = session
  output.result(
    session,
    facts(output, [
      ['session', id],
      ['title', title],
      ['agent', `${agent} ${version}`],
      ['status', last.status],
      ['node', last.currentNode ?? '-'],
      ...(last.error ? [['error', `${last.error.code}: ${last.error.message}`] as const] : []),
      ['started', last.startedAt ?? '-'],
      ['finished', last.finishedAt ?? '-'],
    ]),
  )
}

async function logs(cli: Cli, id: string, on: boolean): Promise<void> {
  if (on) return await watch(cli, id, { throughWaits: true })
  const path = `/sessions/${encodeURIComponent(id)}/events`
  for (let after: number | null = 0; after !== null; ) {
    const page: SessionEvents = await cli.api.call('GET', path, { query: { after } })
    for (const event of page.items) showEvent(cli.output, event)
    after = page.nextAfter
  }
}

/** Follows a session; ends with an error when its run does not complete. */
async function watch(cli: Cli, id: string, { throughWaits = false } = {}): Promise<void> {
  const { status, error } = await follow(cli, id, { throughWaits })
  if (status === 'waiting') {
    cli.output.note(
      'the run waits for a person: see enginex approvals; a question in the chat is answered in the console',
    )
    return
  }
  if (status === 'completed' || status === 'paused') return
  throw new CliError(exitCodes.runFailed, error?.code ?? status, error?.message ?? `the run was ${status}`)
}
