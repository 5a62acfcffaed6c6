import type { Route } from '../tenancy/route.ts'
import { absencesRoutes } from './absences/routes.ts'
import { agentRoutes } from './agents/routes.ts'
import { approvalRoutes } from './approvals/routes.ts'
import { auditRoutes } from './audit/routes.ts'
import { credentialRoutes } from './credentials/routes.ts'
import { memberRoutes } from './members/routes.ts'
import { messageRoutes } from './messages/routes.ts'
import { modelRoutes } from './models/routes.ts'
import { notificationRoutes } from './notifications/routes.ts'
import { organizationRoutes } from './organizations/routes.ts'
import { policiesRoutes } from './policies/routes.ts'
import { reportRoutes } from './reports/routes.ts'
import { runRoutes } from './runs/routes.ts'
import type { Services } from './services.ts'
import { sessionRoutes } from './sessions/routes.ts'
import { skillRoutes } from './skills/routes.ts'
import { taskRoutes } from './tasks/routes.ts'
import { toolRoutes } from './tools/routes.ts'
import { triggerRoutes } from './triggers/routes.ts'

/** Every route, feature by feature. A feature may use the services of those before it, never of those behind it. */
export function routes(services: Services): Route[] {
  return [
    auditRoutes,
    memberRoutes,
    organizationRoutes(services),
    credentialRoutes(services),
    modelRoutes(services),
    toolRoutes(services),
    skillRoutes,
    agentRoutes(services),
    reportRoutes(services),
    runRoutes,
    policiesRoutes,
    absencesRoutes,
    approvalRoutes,
    messageRoutes,
    taskRoutes,
    sessionRoutes(services),
    triggerRoutes(services),
    notificationRoutes(services),
  ].flat()
}
