import { downloadRoute, tenantRoute } from '../../tenancy/route.ts'
import type { Services } from '../services.ts'
import {
  AgentDetail,
  AgentList,
  AgentPath,
  AgentQuery,
  AgentVersion,
  AgentVersionList,
  AgentVersionPath,
  DeployQuery,
  TemplateList,
  TemplatePath,
} from './schema.ts'
import { archive, deploy, downloadVersion, getAgent, getVersion, listAgents, listVersions, promote } from './service.ts'
import { deployTemplate, templates } from './templates.ts'

const packageLimits = { maxFiles: 1, maxBytes: 20 * 1024 * 1024 }

export function agentRoutes({ files }: Services) {
  return [
    tenantRoute({
      method: 'GET',
      path: '/agents',
      permission: 'agents:read',
      summary: 'List agents, newest first',
      schema: { query: AgentQuery, response: AgentList },
      handler: (tenant, { query }) => listAgents(tenant, query),
    }),
    tenantRoute({
      method: 'GET',
      path: '/agents/:name',
      permission: 'agents:read',
      summary: 'Get an agent with the input and the graph of its active version',
      schema: { params: AgentPath, response: AgentDetail },
      handler: (tenant, { params }) => getAgent(tenant, params.name),
    }),
    tenantRoute({
      method: 'POST',
      path: '/agents/:name/versions',
      permission: 'agents:write',
      summary: 'Deploy a package (.zip or .tar.gz, part `package`) as a new version; the first one becomes active',
      status: 201,
      upload: packageLimits,
      schema: { params: AgentPath, query: DeployQuery, response: AgentVersion },
      handler: (tenant, { params, query, files: [upload] }) =>
        deploy(files, tenant, params.name, upload, query.promote ?? false),
    }),
    tenantRoute({
      method: 'GET',
      path: '/agents/:name/versions',
      permission: 'agents:read',
      summary: 'List the versions of an agent, newest first',
      schema: { params: AgentPath, query: AgentQuery, response: AgentVersionList },
      handler: (tenant, { params, query }) => listVersions(tenant, params.name, query),
    }),
    tenantRoute({
      method: 'GET',
      path: '/agents/:name/versions/:version',
      permission: 'agents:read',
      summary: 'Get a version',
      schema: { params: AgentVersionPath, response: AgentVersion },
      handler: (tenant, { params }) => getVersion(tenant, params.name, params.version),
    }),
    downloadRoute({
      method: 'GET',
      path: '/agents/:name/versions/:version/package',
      permission: 'agents:read',
      summary: 'Download the package of a version (.tar.gz)',
      schema: { params: AgentVersionPath },
      handler: (tenant, { params }) => downloadVersion(files, tenant, params.name, params.version),
    }),
    tenantRoute({
      method: 'POST',
      path: '/agents/:name/versions/:version/promote',
      permission: 'agents:write',
      summary: 'Make a version the active one; new sessions use it',
      schema: { params: AgentVersionPath, response: AgentVersion },
      handler: (tenant, { params }) => promote(tenant, params.name, params.version),
    }),
    tenantRoute({
      method: 'POST',
      path: '/agents/:name/archive',
      permission: 'agents:write',
      summary: 'Archive an agent: no new sessions until a version is promoted again',
      schema: { params: AgentPath, response: AgentDetail },
      handler: (tenant, { params }) => archive(tenant, params.name),
    }),
    tenantRoute({
      method: 'GET',
      path: '/templates',
      permission: 'agents:read',
      summary: 'List the templates that ship with EngineX',
      schema: { response: TemplateList },
      handler: (tenant) => templates(tenant),
    }),
    tenantRoute({
      method: 'POST',
      path: '/templates/:template/deploy',
      permission: 'agents:write',
      summary: 'Deploy a template as an agent of this organization',
      status: 201,
      schema: { params: TemplatePath, response: AgentVersion },
      handler: (tenant, { params }) => deployTemplate(files, tenant, params.template),
    }),
  ]
}
