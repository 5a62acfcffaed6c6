import { downloadRoute, tenantRoute } from '../../tenancy/route.ts'
import type { Services } from '../services.ts'
import { Report, ReportFilePath, ReportList, ReportPath, ReportQuery } from './schema.ts'
import { downloadReport, getReport, listReports } from './service.ts'

export function reportRoutes({ files }: Services) {
  return [
    tenantRoute({
      method: 'GET',
      path: '/reports',
      permission: 'reports:read',
      summary: 'List reports, newest first',
      schema: { query: ReportQuery, response: ReportList },
      handler: (tenant, { query }) => listReports(tenant, query),
    }),
    tenantRoute({
      method: 'GET',
      path: '/reports/:reportId',
      permission: 'reports:read',
      summary: 'Get a report: which files it has',
      schema: { params: ReportPath, response: Report },
      handler: (tenant, { params }) => getReport(tenant, params.reportId),
    }),
    downloadRoute({
      method: 'GET',
      path: '/reports/:reportId/files/:file',
      permission: 'reports:read',
      summary: 'Download a file of a report: report.html, report.json or a table as CSV',
      schema: { params: ReportFilePath },
      handler: (tenant, { params }) => downloadReport(files, tenant, params.reportId, params.file),
    }),
  ]
}
