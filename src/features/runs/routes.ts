import { tenantRoute } from '../../tenancy/route.ts'
import { RunPath, StepList } from './schema.ts'
import { listSteps } from './service.ts'

export const runRoutes = [
  tenantRoute({
    method: 'GET',
    path: '/runs/:runId/steps',
    permission: 'runs:read',
    summary: 'List the steps of a run, oldest first',
    schema: { params: RunPath, response: StepList },
    handler: (tenant, { params }) => listSteps(tenant, params.runId),
  }),
]
