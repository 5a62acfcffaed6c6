import { recordReport, writeReport } from '../../features/reports/service.ts'
import type { PerformTool } from './effect.ts'

/** Renders a report and stores its files, then its row with the run's transition. */
export const reportTool: PerformTool = async ({ files }, context, effect) => {
  const { call, nodeId, input } = effect
  const { runId, sessionId } = context
  const { tenantId } = context.tenant
  const written = await writeReport(files, { tenantId, runId, call }, input.report)
  const names = written.files.map((file) => file.name)
  return {
    input: { kind: 'tool_result', call, result: { ok: true, output: { files: names } } },
    record: async (tx) => {
      const reportId = await recordReport(tx, { sessionId, runId, call, ...written })
      return [{ type: 'report_written', nodeId, data: { reportId, title: written.title, files: names } }]
    },
  }
}
