import { tenantRoute } from '../../tenancy/route.ts'
import { ApprovalCounts, ApprovalDetail, ApprovalList, ApprovalPath, ApprovalQuery, Decision } from './schema.ts'
import { countApprovals, decide, getApproval, listApprovals } from './service.ts'

export const approvalRoutes = [
  tenantRoute({
    method: 'GET',
    path: '/approvals',
    permission: 'approvals:read',
    summary: 'List approvals, newest first',
    schema: { query: ApprovalQuery, response: ApprovalList },
    handler: (tenant, { query }) => listApprovals(tenant, query),
  }),
  tenantRoute({
    method: 'GET',
    path: '/approvals/counts',
    permission: 'approvals:read',
    summary: 'Count what waits for a decision, of anybody and of you; each up to 1,000',
    schema: { response: ApprovalCounts },
    handler: (tenant) => countApprovals(tenant),
  }),
  tenantRoute({
    method: 'GET',
    path: '/approvals/:approvalId',
    permission: 'approvals:read',
    summary: 'Get an approval with what is asked',
    schema: { params: ApprovalPath, response: ApprovalDetail },
    handler: (tenant, { params }) => getApproval(tenant, params.approvalId),
  }),
  tenantRoute({
    method: 'POST',
    path: '/approvals/:approvalId/decision',
    permission: 'approvals:write',
    summary: 'Approve, edit or reject, bound to the hash of what was shown',
    schema: { params: ApprovalPath, body: Decision, response: ApprovalDetail },
    handler: (tenant, { params, body }) => decide(tenant, params.approvalId, body, new Date()),
  }),
]
