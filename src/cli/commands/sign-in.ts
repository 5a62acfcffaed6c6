import type { Command } from 'commander'
import type { OwnOrganization, Profile } from '../../features/organizations/schema.ts'
import type { Cli } from '../cli.ts'
import { CliError, exitCodes } from '../failure.ts'
import { clean, facts, table } from '../output.ts'
import { login, logout } from '../session.ts'

interface Organizations {
  readonly items: readonly OwnOrganization[]
}

export function addSignInCommands(program: Command, cli: () => Cli): void {
  program
    .command('login')
    .description('sign in, in your browser')
    .argument('[address]', 'address of EngineX, such as https://enginex.example')
    .option('--org <alias>', 'organization to work in; your only one when left out')
    .addHelpText('after', '\nExample:\n  enginex login http://127.0.0.1:8787 --org acme')
    .action((address: string | undefined, { org }: { org?: string }) => signIn(cli(), address, org ?? null))
  program
    .command('logout')
    .description('end the sign-in on this machine')
    .action(async () => {
      const { store, output } = cli()
      await logout(store)
      output.result({ signedIn: false }, 'signed out')
    })
  program
    .command('whoami')
    .description('say who is signed in, and where')
    .action(() => whoAmI(cli()))
  const organizations = program.command('org').description('choose the organization to work in')
  organizations
    .command('list')
    .description('list your organizations')
    .action(() => listOrganizations(cli()))
  organizations
    .command('use')
    .description('work in another organization; confirms it in your browser')
    .argument('<alias>')
    .action((alias: string) => signIn(cli(), undefined, alias))
}

async function signIn(cli: Cli, address: string | undefined, organization: string | null): Promise<void> {
  const { api, output, store, signal } = cli
  const url = addressOf(address ?? cli.url ?? (await store.read())?.url)
  const show = (page: string, code: string) => {
    output.note(`Open ${output.style('bold', clean(page))}\nand confirm the code ${output.style('bold', clean(code))}`)
    if (output.json) process.stderr.write(`${JSON.stringify({ open: page, code })}\n`)
  }
  let found = await login(store, url, organization, { show, signal })
  if (found === null) {
    const { items } = await api.call<Organizations>('GET', '/me/organizations')
    const [only] = items
    if (only && items.length === 1) {
      output.note(`You belong to ${clean(only.alias)}; one more confirmation signs you in there.`)
      found = await login(store, url, only.alias, { show, signal })
    } else if (items.length > 0) {
      output.note(
        `You belong to ${clean(items.map(({ alias }) => alias).join(', '))}. Choose one: enginex org use <alias>`,
      )
    }
  }
  output.result({ signedIn: true, url, organization: found }, `signed in to ${clean(found ?? url)}`)
}

function addressOf(text: string | undefined): string {
  const address = text?.replace(/\/+$/, '')
  if (address && URL.canParse(address) && /^https?:$/.test(new URL(address).protocol)) return address
  throw new CliError(exitCodes.usage, 'url_missing', 'say where: enginex login https://enginex.example')
}

async function whoAmI({ api, output, store, url }: Cli): Promise<void> {
  const profile = await api.call<Profile>('GET', '/me')
  const signIn = await store.read()
  const where = { url: url ?? signIn?.url ?? null, organization: signIn?.organization ?? null }
  output.result(
    { ...profile, ...where },
    facts(output, [
      ['name', profile.name ?? '-'],
      ['e-mail', profile.email ?? '-'],
      ['organization', where.organization ?? '-'],
      ['address', where.url ?? '-'],
    ]),
  )
}

async function listOrganizations({ api, output }: Cli): Promise<void> {
  const { items } = await api.call<Organizations>('GET', '/me/organizations')
  const rows = items.map(({ alias, name, roles }) => [alias, name, roles.join(', ')])
  output.result(items, table(output, ['ALIAS', 'NAME', 'ROLES'], rows))
}
