import { tenantRoute } from '../../tenancy/route.ts'
import type { Services } from '../services.ts'
import { ModelList, ModelPath, ModelPut, ModelSettings, ModelTest } from './schema.ts'
import { deleteModel, getModel, listModels, putModel, testModel } from './service.ts'

export function modelRoutes({ vault, models, deploymentModel }: Services) {
  return [
    tenantRoute({
      method: 'GET',
      path: '/models',
      permission: 'models:read',
      summary: 'List which model serves which purpose',
      schema: { response: ModelList },
      handler: (tenant) => listModels(tenant, deploymentModel),
    }),
    tenantRoute({
      method: 'GET',
      path: '/models/:purpose',
      permission: 'models:read',
      summary: 'Get the model that serves a purpose',
      schema: { params: ModelPath, response: ModelSettings },
      handler: (tenant, { params }) => getModel(tenant, params.purpose),
    }),
    tenantRoute({
      method: 'PUT',
      path: '/models/:purpose',
      permission: 'models:write',
      summary: 'Say which model serves a purpose',
      schema: { params: ModelPath, body: ModelPut, response: ModelSettings },
      handler: (tenant, { params, body }) => putModel(models, tenant, params.purpose, body),
    }),
    tenantRoute({
      method: 'DELETE',
      path: '/models/:purpose',
      permission: 'models:write',
      summary: 'Delete the settings of a purpose, which "default" serves then; the answer is what was deleted',
      schema: { params: ModelPath, response: ModelSettings },
      handler: (tenant, { params }) => deleteModel(tenant, params.purpose),
    }),
    tenantRoute({
      method: 'POST',
      path: '/models/:purpose/test',
      permission: 'models:write',
      summary: 'Ask the model of a purpose one small question',
      schema: { params: ModelPath, response: ModelTest },
      handler: (tenant, { params }) => testModel(models, vault, tenant, params.purpose),
    }),
  ]
}
