import { tenantRoute } from '../../tenancy/route.ts'
import {
  ApprovalSettings,
  ApprovalSettingsPut,
  Policy,
  PolicyList,
  PolicyPath,
  PolicyPut,
  PolicyQuery,
} from './schema.ts'
import { deletePolicy, getPolicy, getSettings, listPolicies, putPolicy, putSettings } from './service.ts'

export const policiesRoutes = [
  tenantRoute({
    method: 'GET',
    path: '/approval-policies',
    permission: 'policies:read',
    summary: "List the organization's own approval policies, newest first",
    schema: { query: PolicyQuery, response: PolicyList },
    handler: (tenant, { query }) => listPolicies(tenant, query),
  }),
  tenantRoute({
    method: 'GET',
    path: '/approval-policies/:name',
    permission: 'policies:read',
    summary: "Get one of the organization's own approval policies",
    schema: { params: PolicyPath, response: Policy },
    handler: (tenant, { params }) => getPolicy(tenant, params.name),
  }),
  tenantRoute({
    method: 'PUT',
    path: '/approval-policies/:name',
    permission: 'policies:write',
    summary: 'Set a policy, in place of every package’s policy of that name; for questions asked from now on',
    schema: { params: PolicyPath, body: PolicyPut, response: Policy },
    handler: (tenant, { params, body }) => putPolicy(tenant, params.name, body),
  }),
  tenantRoute({
    method: 'DELETE',
    path: '/approval-policies/:name',
    permission: 'policies:write',
    summary: 'Delete a policy; the answer is what was deleted',
    schema: { params: PolicyPath, response: Policy },
    handler: (tenant, { params }) => deletePolicy(tenant, params.name),
  }),
  tenantRoute({
    method: 'GET',
    path: '/approval-settings',
    permission: 'policies:read',
    summary: "Get the organization's settings for approvals",
    schema: { response: ApprovalSettings },
    handler: (tenant) => getSettings(tenant),
  }),
  tenantRoute({
    method: 'PUT',
    path: '/approval-settings',
    permission: 'policies:write',
    summary: "Set the organization's settings for approvals",
    schema: { body: ApprovalSettingsPut, response: ApprovalSettings },
    handler: (tenant, { body }) => putSettings(tenant, body),
  }),
]
