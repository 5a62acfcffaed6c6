import { createSandbox, type SandboxRequest, type SandboxResult } from '../../src/providers/sandbox.ts'

export const limits = { timeoutMs: 5000, memoryMb: 64, outputBytes: 1024 * 1024 }

/** A sandbox of one thread, with short ways to run one module as a tool. */
export function createToolRunner() {
  const sandbox = createSandbox({ threads: 1 })

  /** Runs the module, with `files` beside it. */
  function run(code: string, input: unknown = {}, more: Partial<SandboxRequest> = {}): Promise<SandboxResult> {
    return sandbox.run({ entry: 'tools/x.js', input, limits, ...more, files: { ...more.files, 'tools/x.js': code } })
  }

  return {
    sandbox,
    run,
    /** The value of an expression inside a tool. */
    async evaluate(expression: string, more: Partial<SandboxRequest> = {}): Promise<unknown> {
      const result = await run(`export default (input, context) => (${expression})`, {}, more)
      if (!result.ok) throw new Error(result.error.message)
      return result.output
    },
    /** What went wrong; `none` when nothing did. */
    async failure(code: string, more: Partial<SandboxRequest> = {}) {
      const result = await run(code, {}, more)
      return result.ok ? { code: 'none', message: JSON.stringify(result.output) } : result.error
    },
  }
}
