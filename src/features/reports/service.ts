import { Readable } from 'node:stream'
import type { Static } from 'typebox'
import { Value } from 'typebox/value'
import type { TenantQueries } from '../../db/queries.ts'
import { AppError, notFound } from '../../errors.ts'
import type { Files } from '../../providers/files.ts'
import type { TenantContext } from '../../tenancy/context.ts'
import type { Download } from '../../tenancy/route.ts'
import { type PageInput, pageOf, readCursor } from '../pages.ts'
import type { StoredFile } from '../schema.ts'
import { renderCsv, renderHtml } from './document.ts'
import { findRow, insertRow, listRows } from './repository.ts'
import { type Report, ReportDocument, type ReportList } from './schema.ts'

type Reader = TenantContext<'reports:read'>

export async function listReports(
  tenant: Reader,
  { limit = 20, cursor, sessionId }: PageInput & { sessionId?: string | undefined },
): Promise<Static<typeof ReportList>> {
  const rows = await listRows(tenant.rows, limit, readCursor(tenant.tenantId, cursor), { sessionId })
  return pageOf(tenant.tenantId, rows, limit, (row) => ({ time: row.created_at, id: row.id }), toReport)
}

export async function getReport(tenant: Reader, id: string): Promise<Report> {
  return toReport(await row(tenant, id))
}

export async function downloadReport(files: Files, tenant: Reader, id: string, name: string): Promise<Download> {
  const { run_id, call, files: stored } = await row(tenant, id)
  const file = (stored as unknown as StoredFile[]).find((one) => one.name === name)
  if (!file) throw notFound('file')
  const body = await files.get(fileKey(tenant.tenantId, run_id, call, name))
  return { body, mediaType: file.mediaType, fileName: name }
}

async function row(tenant: Reader, id: string) {
  const [found] = await findRow(tenant.rows, { id })
  if (!found) throw notFound('report')
  return found
}

/**
 * Renders what a run hands to `write_report` and stores the files, before the row that makes them a report; doing it
 * again for the same call writes the same bytes. Throws input_invalid when the document is not one.
 */
export async function writeReport(
  files: Files,
  { tenantId, runId, call }: { tenantId: string; runId: string; call: string },
  document: unknown,
): Promise<{ title: string; files: StoredFile[] }> {
  const fault = Value.Errors(ReportDocument, document)[0]
  if (fault)
    throw new AppError('input_invalid', `the report is not valid: ${fault.instancePath || '/'} ${fault.message}`)
  const report = document as ReportDocument
  const contents: [name: string, mediaType: string, text: string][] = [
    ['report.html', 'text/html; charset=utf-8', renderHtml(report)],
    ['report.json', 'application/json', JSON.stringify(report)],
    ...report.tables.map(
      (table) => [`${table.name}.csv`, 'text/csv; charset=utf-8', renderCsv(table)] as [string, string, string],
    ),
  ]
  const stored: StoredFile[] = []
  for (const [name, mediaType, text] of contents) {
    const buffer = Buffer.from(text)
    const key = fileKey(tenantId, runId, call, name)
    stored.push({ name, mediaType, ...(await files.put(key, Readable.from([buffer]), { maxBytes: buffer.length })) })
  }
  return { title: report.title, files: stored }
}

/** The row of a report whose files are stored. @returns its id; undefined when this call has written it before */
export function recordReport(
  tx: TenantQueries,
  report: { sessionId: string; runId: string; call: string; title: string; files: StoredFile[] },
): Promise<string | undefined> {
  const { sessionId: session_id, runId: run_id, call, title, files } = report
  return insertRow(tx, { session_id, run_id, call, title, files })
}

function fileKey(tenantId: string, runId: string, call: string, name: string): string {
  return `tenants/${tenantId}/reports/${runId}/${call}/${name}`
}

function toReport({
  id,
  session_id,
  run_id,
  agent,
  title,
  files,
  created_at,
}: Awaited<ReturnType<typeof listRows>>[number]): Report {
  return {
    id,
    sessionId: session_id,
    runId: run_id,
    agent,
    title,
    files: files as unknown as StoredFile[],
    createdAt: created_at.toISOString(),
  }
}
