import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'

export interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
}

type Heard = (line: string, interrupt: () => void) => void

export interface Terminal {
  readonly directory: string
  /** Runs the program as a person does; `input` is its standard input. */
  enginex(words: readonly string[], input?: string): Promise<Ran>
  /** The same, told of each line on standard error while the program runs, with a way to press Ctrl-C. */
  attended(words: readonly string[], heard: Heard): Promise<Ran>
  /** The same with --json; gives the result. Throws when the program fails. */
  json(words: readonly string[], input?: string): Promise<ReturnType<JSON['parse']>>
  /** As if this token's holder had signed in. */
  signIn(url: string, organization: string, accessToken: string): Promise<void>
}

/** A folder of its own with the program in it, and nothing of the environment but what is given. */
export async function terminal(t: Pick<Test, 'teardown'>, environment: Record<string, string> = {}): Promise<Terminal> {
  const directory = await mkdtemp(join(tmpdir(), 'enginex-cli-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  const main = join(import.meta.dirname, '../../src/cli/main.ts')
  const start = (words: readonly string[], input: string, heard: Heard) =>
    new Promise<Ran>((resolve, reject) => {
      const env = { PATH: process.env['PATH'] ?? '', XDG_CONFIG_HOME: join(directory, 'config'), ...environment }
      const child = spawn(process.execPath, [main, ...words], { cwd: directory, env, stdio: 'pipe' })
      const texts = { out: '', err: '' }
      child.stdout.on('data', (chunk) => {
        texts.out += chunk
      })
      child.stderr.on('data', (chunk) => {
        texts.err += chunk
      })
      createInterface({ input: child.stderr }).on('line', (line) => heard(line, () => child.kill('SIGINT')))
      child.on('error', reject)
      child.on('close', (code) => resolve({ code: code ?? -1, ...texts }))
      child.stdin.end(input)
    })
  const enginex = (words: readonly string[], input = '') => start(words, input, () => undefined)
  return {
    directory,
    enginex,
    attended: (words, heard) => start(words, '', heard),
    async json(words, input) {
      const { code, out, err } = await enginex(['--json', ...words], input)
      if (code !== 0) throw new Error(`enginex ${words.join(' ')} ended with ${code}: ${err}`)
      return JSON.parse(out)
    },
    async signIn(url, organization, accessToken) {
      const tokens = { accessToken, refreshToken: null, expiresAt: new Date(Date.now() + 3_600_000).toISOString() }
      await mkdir(join(directory, 'config/enginex'), { recursive: true })
      const signIn = { url, issuerUrl: `${url}/realms/enginex`, organization, tokens }
      await writeFile(join(directory, 'config/enginex/sign-in.json'), JSON.stringify(signIn))
    },
  }
}
