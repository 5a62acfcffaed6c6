import { sizeOf } from '../../features/runs/size.ts'
import { isStorable } from '../storable.ts'
import { failed, type PerformTool } from './effect.ts'

/** Whatever a manifest says, a tool gets no more than this. */
const maxTimeoutMs = 60_000
const memoryMb = 64
const outputBytes = 16 * 1024 * 1024

/** A tool of the package, in the sandbox. */
export const packageTool: PerformTool = async ({ sandbox }, context, effect) => {
  const { call, tool, input, timeoutMs } = effect
  const entry = context.agent.manifest.tools?.find((one) => one.name === tool)?.file
  if (!entry) return failed(call, 'tool_unknown', `the package has no tool ${tool}`)
  const ran = await sandbox.run(
    {
      holder: context.tenant.tenantId,
      files: context.agent.files,
      entry,
      input,
      seed: `${context.runId}:${call}`,
      now: context.at,
      limits: { timeoutMs: Math.min(timeoutMs, maxTimeoutMs), memoryMb, outputBytes },
    },
    context.signal,
  )
  if (!ran.ok) {
    const { code, message, file, line } = ran.error
    return failed(call, code, `${tool}${file ? ` (${file}${line ? `:${line}` : ''})` : ''}: ${message}`)
  }
  const text = JSON.stringify(ran.output ?? null)
  if (!isStorable(text)) return failed(call, 'tool_invalid', `${tool}: its output holds a NUL or half a character`)
  if (!context.fits(sizeOf(text))) {
    return failed(call, 'run_too_large', `${tool}: the run would remember more than a run may`)
  }
  return { input: { kind: 'tool_result', call, result: { ok: true, output: ran.output } } }
}
