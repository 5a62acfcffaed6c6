import { type Api, createApi } from './api.ts'
import { createOutput, type Output } from './output.ts'
import { createSession } from './session.ts'
import { createStore, type Store } from './store.ts'

/** What every command works with. */
export interface Cli {
  readonly api: Api
  readonly output: Output
  readonly store: Store
  /** ENGINEX_URL. */
  readonly url: string | undefined
  /** Standard input, whole. */
  readonly readInput: () => Promise<string>
  /** Aborted when the person presses Ctrl-C. */
  readonly signal: AbortSignal
}

export interface CliOptions {
  readonly json: boolean
  readonly colors: boolean
  readonly directory: string
  readonly url: string | undefined
  readonly serviceAccount: { readonly clientId: string; readonly clientSecret: string } | null
  readonly signal: AbortSignal
}

export function createCli({ json, colors, directory, url, serviceAccount, signal }: CliOptions): Cli {
  const store = createStore(directory)
  const output = createOutput({
    json,
    colors,
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
  })
  return { api: createApi(createSession({ store, url, serviceAccount })), output, store, url, readInput, signal }
}

async function readInput(): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}
