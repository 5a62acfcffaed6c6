import { tenantRoute } from '../../tenancy/route.ts'
import { AuditList, AuditQuery } from './schema.ts'
import { listAudit } from './service.ts'

export const auditRoutes = [
  tenantRoute({
    method: 'GET',
    path: '/audit',
    permission: 'audit:read',
    summary: 'List what was done in this organization, newest first',
    schema: { query: AuditQuery, response: AuditList },
    handler: (tenant, { query }) => listAudit(tenant, query),
  }),
]
