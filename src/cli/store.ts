import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Tokens } from '../identity/sign-in.ts'

/** A person's sign-in to one EngineX, for one organization. */
export interface SignIn {
  /** Of EngineX, without a slash at its end. */
  readonly url: string
  readonly issuerUrl: string
  readonly organization: string | null
  readonly tokens: Tokens
}

export interface Store {
  /** Null when nobody is signed in. */
  read(): Promise<SignIn | null>
  write(signIn: SignIn): Promise<void>
  clear(): Promise<void>
}

/** Keeps the sign-in in one file that only its owner can read (0600, in a folder of 0700). */
export function createStore(directory: string): Store {
  const file = join(directory, 'sign-in.json')
  return {
    async read() {
      const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return null
        throw error
      })
      return text === null ? null : parse(text)
    },
    async write(signIn) {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      await chmod(directory, 0o700)
      const draft = `${file}.${process.pid}`
      await writeFile(draft, JSON.stringify(signIn), { mode: 0o600 })
      await rename(draft, file) // whole or not at all, whatever happens meanwhile
    },
    clear: () => rm(file, { force: true }),
  }
}

/** A file that something else has written is no sign-in. */
function parse(text: string): SignIn | null {
  try {
    const signIn = JSON.parse(text) as SignIn
    return typeof signIn.url === 'string' && typeof signIn.tokens?.accessToken === 'string' ? signIn : null
  } catch {
    return null
  }
}
