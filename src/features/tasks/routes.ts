import { tenantRoute } from '../../tenancy/route.ts'
import { TaskList, TaskPath } from './schema.ts'
import { listTasks } from './service.ts'

export const taskRoutes = [
  tenantRoute({
    method: 'GET',
    path: '/sessions/:sessionId/tasks',
    permission: 'runs:read',
    summary: 'List the plan that the agent of a session keeps',
    schema: { params: TaskPath, response: TaskList },
    handler: (tenant, { params }) => listTasks(tenant, params.sessionId),
  }),
]
