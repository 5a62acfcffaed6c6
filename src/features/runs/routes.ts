import { tenantRoute } from '../../tenancy/route.ts'
import { RunUsage } from '../models/schema.ts'
import { CheckpointList, CheckpointQuery, RunPath, StepDetailList, StepList, StepPath } from './schema.ts'
import { getStep, getUsage, listCheckpoints, listSteps } from './service.ts'

export const runRoutes = [
  tenantRoute({
    method: 'GET',
    path: '/runs/:runId/steps',
    permission: 'runs:read',
    summary: 'List the steps of a run, oldest first',
    schema: { params: RunPath, response: StepList },
    handler: (tenant, { params }) => listSteps(tenant, params.runId),
  }),
  tenantRoute({
    method: 'GET',
    path: '/runs/:runId/steps/:step',
    permission: 'runs:read',
    summary: 'Get the attempts of a step with what they read and wrote',
    schema: { params: StepPath, response: StepDetailList },
    handler: (tenant, { params }) => getStep(tenant, params.runId, params.step),
  }),
  tenantRoute({
    method: 'GET',
    path: '/runs/:runId/usage',
    permission: 'runs:read',
    summary: 'Get what the models of a run took: tokens, cost and time, by step and attempt and in all',
    schema: { params: RunPath, response: RunUsage },
    handler: (tenant, { params }) => getUsage(tenant, params.runId),
  }),
  tenantRoute({
    method: 'GET',
    path: '/runs/:runId/checkpoints',
    permission: 'runs:read',
    summary: 'List the checkpoints of a run, oldest first, at most 200 at once',
    schema: { params: RunPath, query: CheckpointQuery, response: CheckpointList },
    handler: (tenant, { params, query }) => listCheckpoints(tenant, params.runId, query.after ?? 0),
  }),
]
