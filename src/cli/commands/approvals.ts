import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import type { Approval, ApprovalDetail } from '../../features/approvals/schema.ts'
import type { Cli } from '../cli.ts'
import { CliError, exitCodes } from '../failure.ts'
import { clean, facts, table } from '../output.ts'
import { collect, limitOption } from './lists.ts'

export function addApprovalCommands(program: Command, cli: () => Cli): void {
  const approvals = program.command('approvals').description('what waits for a decision')
  approvals
    .command('list', { isDefault: true })
    .description('list approvals, newest first')
    .option('--all', 'decided ones too')
    .addOption(limitOption())
    .action((options: { all?: true; limit: number }) => list(cli(), options))
  approvals
    .command('show')
    .description('show what is asked')
    .argument('<id>')
    .action(async (id: string) => show(cli(), await find(cli(), id)))
  const reason = ['--reason <text>', 'why; it is recorded'] as const
  program
    .command('approve')
    .description('approve what is asked, or approve it with other values')
    .argument('<id>')
    .requiredOption(...reason)
    .option('--values <file>', 'the edited proposal as a JSON file; - for standard input')
    .action((id: string, { reason: why, values }: { reason: string; values?: string }) =>
      approve(cli(), id, why, values),
    )
  program
    .command('reject')
    .description('reject what is asked')
    .argument('<id>')
    .requiredOption(...reason)
    .action((id: string, { reason: why }: { reason: string }) => decide(cli(), id, { decision: 'reject', reason: why }))
}

async function list({ api, output }: Cli, { all, limit }: { all?: true; limit: number }): Promise<void> {
  const items = await collect(api.list<Approval>('/approvals', limit, all ? {} : { status: 'pending' }))
  const rows = items.map(({ id, agent, title, status, requestedAt }) => [id, agent, status, requestedAt, title])
  output.result(items, table(output, ['ID', 'AGENT', 'STATUS', 'ASKED', 'TITLE'], rows))
}

function find({ api }: Cli, id: string): Promise<ApprovalDetail> {
  return api.call<ApprovalDetail>('GET', `/approvals/${encodeURIComponent(id)}`)
}

function show({ output }: Cli, approval: ApprovalDetail): void {
  const { title, agent, message, evidence, proposal } = approval
  const shown = (value: unknown) => clean(JSON.stringify(value, null, 2) ?? 'null')
  const parts = [
    facts(output, [
      ['title', title],
      ['agent', agent],
      ['status', standing(approval)],
    ]),
    clean(message),
    ...evidence.map(({ key, value }) => `${output.style('bold', clean(key))}\n${shown(value)}`),
    ...(proposal ? [`${output.style('bold', `proposal: ${clean(proposal.key)}`)}\n${shown(proposal.value)}`] : []),
  ]
  output.result(approval, parts.join('\n\n'))
}

async function approve(cli: Cli, id: string, reason: string, file: string | undefined): Promise<void> {
  if (file === undefined) return await decide(cli, id, { decision: 'approve', reason })
  const text = file === '-' ? await cli.readInput() : await readFile(file, 'utf8')
  await decide(cli, id, { decision: 'edit', reason, values: parse(text, file) })
}

function parse(text: string, file: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new CliError(exitCodes.usage, 'input_invalid', `${file} is not JSON`)
  }
}

/** Decides on what is asked at this moment; the API refuses when that changes in between. */
async function decide(cli: Cli, id: string, decision: { decision: string; reason: string; values?: unknown }) {
  const { payloadHash, title } = await find(cli, id)
  const path = `/approvals/${encodeURIComponent(id)}/decision`
  const decided = await cli.api.call<ApprovalDetail>('POST', path, { json: { ...decision, payloadHash } })
  cli.output.result(decided, `${clean(title)}: ${standing(decided)}`)
}

type Standing = Pick<ApprovalDetail, 'status' | 'quorum' | 'stage' | 'answers'>

/** The status; where several people must agree, how many of them have. */
export function standing({ status, quorum, stage, answers }: Standing): string {
  if (status !== 'pending' || quorum === 1) return status
  const agreed = answers.filter((answer) => answer.stands && answer.stage === stage).length
  return `${status}, ${agreed} of ${quorum} agreed`
}
