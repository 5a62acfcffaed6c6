#!/usr/bin/env node
import { Command, CommanderError } from 'commander'
import { cliConfig } from '../config.ts'
import { type Cli, createCli } from './cli.ts'
import { addAgentCommands } from './commands/agents.ts'
import { addApprovalCommands } from './commands/approvals.ts'
import { addCompletionCommand } from './commands/completion.ts'
import { addCredentialCommands } from './commands/credentials.ts'
import { addPackageCommands } from './commands/packages.ts'
import { addReportCommands } from './commands/reports.ts'
import { addRunCommands } from './commands/runs.ts'
import { addSignInCommands } from './commands/sign-in.ts'
import { CliError, exitCodes } from './failure.ts'
import { createOutput } from './output.ts'

/** The command line, as a value: completions and documentation are made from it. */
function createProgram(cli: () => Cli): Command {
  const program = new Command('enginex')
    .description('Runs business workflows with AI agents, people deciding where it matters.')
    .option('--json', 'print results as JSON, for programs')
    .helpCommand(false)
    .showHelpAfterError('(run with --help to see how it is used)')
    .addHelpText('after', help)
  const groups = [
    addSignInCommands,
    addPackageCommands,
    addAgentCommands,
    addRunCommands,
    addApprovalCommands,
    addReportCommands,
    addCredentialCommands,
  ]
  for (const add of groups) add(program, cli)
  addCompletionCommand(program)
  return program
}

const help = `
Environment:
  ENGINEX_URL            address of EngineX; the one you signed in to when left out
  ENGINEX_CLIENT_ID      with ENGINEX_CLIENT_SECRET: act as this service account, without a sign-in
  NO_COLOR               no colours

Exit codes: 0 done, 1 refused or failed, 2 used wrongly, 3 not signed in or not allowed, 4 not found,
5 the run did not complete.`

/** Runs one command line. @returns the exit code */
async function main(words: readonly string[]): Promise<number> {
  const json = words.includes('--json')
  const err = (text: string) => process.stderr.write(text)
  const colors = process.stdout.isTTY === true && process.stdout.hasColors?.() === true
  const interrupted = new AbortController()
  process.once('SIGINT', () => interrupted.abort())
  const output = createOutput({ json, colors, out: (text) => process.stdout.write(text), err })
  try {
    const { ENGINEX_URL: url, ENGINEX_CLIENT_ID: clientId, ENGINEX_CLIENT_SECRET, directory } = cliConfig()
    const serviceAccount = clientId && ENGINEX_CLIENT_SECRET ? { clientId, clientSecret: ENGINEX_CLIENT_SECRET } : null
    const options = { json, colors, directory, url, serviceAccount, signal: interrupted.signal }
    const program = createProgram(() => createCli(options))
    for (const command of [program, ...program.commands, ...program.commands.flatMap((one) => one.commands)]) {
      command.exitOverride().configureOutput({ writeErr: err })
    }
    await program.parseAsync([...words], { from: 'user' })
    return 0
  } catch (error) {
    if (interrupted.signal.aborted) return 130
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCodes.usage
    if (error instanceof CliError) {
      output.fail(error)
      return error.exitCode
    }
    output.fail(new CliError(exitCodes.failed, 'internal', error instanceof Error ? error.message : String(error)))
    return exitCodes.failed
  }
}

// Whoever reads only the first lines, as `head` does, has had enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
process.exitCode = await main(process.argv.slice(2))
