import { mkdir, writeFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import type { Command } from 'commander'
import { parsePackage } from '../../engine/package.ts'
import type { AgentVersion } from '../../features/agents/schema.ts'
import { writeArchive } from '../../providers/archive.ts'
import type { Cli } from '../cli.ts'
import { CliError, exitCodes } from '../failure.ts'
import { readPackageFolder } from '../package-folder.ts'
import { scaffold } from '../scaffold.ts'

export function addPackageCommands(program: Command, cli: () => Cli): void {
  program
    .command('init')
    .description('write the smallest package into a new folder')
    .argument('<folder>', 'its name becomes the name of the agent')
    .action((folder: string) => init(cli(), resolve(folder)))
  program
    .command('validate')
    .description('check a package on this machine; tells every fault with its place')
    .argument('[folder]', 'folder of the package', '.')
    .action((folder: string) => validate(cli(), resolve(folder)))
  program
    .command('deploy')
    .description('check a package, and upload it as a version of its agent')
    .argument('[folder]', 'folder of the package', '.')
    .option('--no-promote', 'do not make it the active version')
    .addHelpText('after', '\nExample:\n  enginex deploy ./greeter --no-promote')
    .action((folder: string, { promote }: { promote: boolean }) => deploy(cli(), resolve(folder), promote))
}

async function init({ output }: Cli, folder: string): Promise<void> {
  const name = basename(folder)
  if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name)) {
    throw new CliError(
      exitCodes.usage,
      'name_invalid',
      `"${name}" is no name of an agent: use lower-case words joined by hyphens`,
    )
  }
  const made = await mkdir(folder).catch((error: NodeJS.ErrnoException) => error)
  if (made instanceof Error) {
    const reason = made.code === 'EEXIST' ? 'exists already' : `cannot be made (${made.code})`
    throw new CliError(exitCodes.usage, 'folder_taken', `${folder} ${reason}`)
  }
  const files = scaffold(name)
  for (const [path, text] of Object.entries(files)) {
    await mkdir(join(folder, path, '..'), { recursive: true })
    await writeFile(join(folder, path), text)
  }
  output.result({ folder, files: Object.keys(files) }, `wrote ${folder}\nnext: enginex deploy ${name}`)
}

async function validate({ output }: Cli, folder: string): Promise<void> {
  const { name, version } = checked(await readPackageFolder(folder))
  output.result({ valid: true, name, version }, `${name} ${version} is valid`)
}

async function deploy({ api, output }: Cli, folder: string, promote: boolean): Promise<void> {
  const files = await readPackageFolder(folder)
  const { name, version } = checked(files)
  const form = new FormData()
  form.append('package', new Blob([new Uint8Array(await writeArchive(files))]), `${name}.tar.gz`)
  output.note(`deploying ${name} ${version}`)
  const query = { promote: String(promote) }
  const deployed = await api.call<AgentVersion>('POST', `/agents/${name}/versions`, { form, query })
  const state = deployed.active ? 'active' : `not active: enginex agents promote ${name} ${deployed.version}`
  output.result(deployed, `${deployed.agent} ${deployed.version} is deployed (${state})`)
}

function checked(files: ReadonlyMap<string, Buffer>): { name: string; version: string } {
  const result = parsePackage(files)
  if (result.ok) return result.package.manifest
  const count = result.faults.length
  const message = `the package has ${count === 1 ? 'a fault' : `${count} faults`}`
  throw new CliError(exitCodes.failed, 'package_invalid', message, { faults: result.faults })
}
