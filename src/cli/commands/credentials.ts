import { type Command, Option } from 'commander'
import type { Credential } from '../../features/credentials/schema.ts'
import type { Cli } from '../cli.ts'
import { CliError, exitCodes } from '../failure.ts'
import { table } from '../output.ts'
import { collect, limitOption } from './lists.ts'

const types = ['api_key', 'basic_auth', 'bearer_token', 'oauth2', 'custom'] as const
/** The key that a plain text on standard input is taken for. */
const onlyKey: Readonly<Record<string, string>> = { api_key: 'key', bearer_token: 'token' }

interface SetOptions {
  readonly type: (typeof types)[number]
  readonly host: readonly string[]
  readonly expires?: string
}

export function addCredentialCommands(program: Command, cli: () => Cli): void {
  const credentials = program.command('credentials').description('secrets of your organization; never read back')
  credentials
    .command('list', { isDefault: true })
    .description('list names, types and hosts')
    .addOption(limitOption())
    .action(async ({ limit }: { limit: number }) => {
      const { api, output } = cli()
      const items = await collect(api.list<Credential>('/credentials', limit))
      const rows = items.map((one) => [one.name, one.type, one.allowedHosts.join(', '), one.expiresAt ?? 'never'])
      output.result(items, table(output, ['NAME', 'TYPE', 'HOSTS', 'EXPIRES'], rows))
    })
  credentials
    .command('set')
    .description('store a secret, read from standard input: the text itself, or a JSON object of several keys')
    .argument('<name>')
    .addOption(new Option('--type <type>', 'what it is').choices(types).default('api_key'))
    .requiredOption('--host <host>', 'a host that it may be sent to; may be given more than once', many, [])
    .option('--expires <time>', 'when it ends, such as 2027-01-31T00:00:00Z')
    .addHelpText('after', '\nExample:\n  printf %s "$KEY" | enginex credentials set crm --host api.crm.example')
    .action((name: string, options: SetOptions) => set(cli(), name, options))
  credentials
    .command('delete')
    .description('delete a secret; what uses it is refused from then on')
    .argument('<name>')
    .action(async (name: string) => {
      const { api, output } = cli()
      output.result(await api.call('DELETE', `/credentials/${encodeURIComponent(name)}`), `${name} is deleted`)
    })
}

function many(value: string, before: readonly string[]): string[] {
  return [...before, value]
}

async function set({ api, output, readInput }: Cli, name: string, { type, host, expires }: SetOptions): Promise<void> {
  if (process.stdin.isTTY) output.note('type the secret, then Ctrl-D; better: pipe it in, so that it is not shown')
  const keys = keysOf(type, (await readInput()).replace(/\r?\n$/, ''))
  const json = { type, keys, allowedHosts: host, ...(expires ? { expiresAt: expires } : {}) }
  const stored = await api.call<Credential>('PUT', `/credentials/${encodeURIComponent(name)}`, { json })
  output.result(stored, `${stored.name} is stored (version ${stored.version}), for ${stored.allowedHosts.join(', ')}`)
}

/** Says nothing of the text in what it throws. */
function keysOf(type: string, text: string): Record<string, unknown> {
  const key = onlyKey[type]
  if (key && text !== '' && !text.startsWith('{')) return { [key]: text }
  try {
    const keys: unknown = JSON.parse(text)
    if (typeof keys === 'object' && keys !== null && !Array.isArray(keys)) return keys as Record<string, unknown>
  } catch {}
  throw new CliError(
    exitCodes.usage,
    'input_invalid',
    `send ${key ? 'the secret, or ' : ''}a JSON object of keys on standard input`,
  )
}
