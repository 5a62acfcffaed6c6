import { createWriteStream } from 'node:fs'
import { mkdir, rename } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Command } from 'commander'
import type { Report } from '../../features/reports/schema.ts'
import type { Cli } from '../cli.ts'
import { table } from '../output.ts'
import { collect, limitOption } from './lists.ts'

export function addReportCommands(program: Command, cli: () => Cli): void {
  const reports = program.command('reports').description('what runs leave to read')
  reports
    .command('list', { isDefault: true })
    .description('list reports, newest first')
    .option('--session <id>', 'of this session only')
    .addOption(limitOption())
    .action((options: { session?: string; limit: number }) => list(cli(), options))
  reports
    .command('get')
    .description('download the files of a report')
    .argument('<id>')
    .option('--output <folder>', 'where to', '.')
    .action((id: string, { output }: { output: string }) => get(cli(), id, resolve(output)))
}

async function list({ api, output }: Cli, { session, limit }: { session?: string; limit: number }): Promise<void> {
  const items = await collect(api.list<Report>('/reports', limit, { sessionId: session }))
  const rows = items.map(({ id, createdAt, title, files }) => [id, createdAt, String(files.length), title])
  output.result(items, table(output, ['ID', 'WRITTEN', 'FILES', 'TITLE'], rows))
}

async function get({ api, output }: Cli, id: string, folder: string): Promise<void> {
  const path = `/reports/${encodeURIComponent(id)}`
  const { files } = await api.call<Report>('GET', path)
  await mkdir(folder, { recursive: true })
  const written: string[] = []
  for (const { name } of files.filter((file) => /^[a-z0-9-]+\.(html|json|csv)$/.test(file.name))) {
    const answer = await api.send('GET', `${path}/files/${name}`)
    const target = join(folder, name)
    await pipeline(answer.body ?? Readable.from([]), createWriteStream(`${target}.part`))
    await rename(`${target}.part`, target)
    written.push(target)
  }
  output.result({ files: written }, written.map((file) => `wrote ${file}`).join('\n'))
}
