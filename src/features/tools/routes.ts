import { tenantRoute } from '../../tenancy/route.ts'
import type { Services } from '../services.ts'
import { McpServerDetail, McpServerList, McpServerPath, McpServerQuery, McpServerSave } from './schema.ts'
import { discoverServer, getServer, listServers, removeServer, saveServer } from './service.ts'

export function toolRoutes({ mcp, vault }: Services) {
  return [
    tenantRoute({
      method: 'GET',
      path: '/mcp-servers',
      permission: 'tools:read',
      summary: 'List the MCP servers, newest first',
      schema: { query: McpServerQuery, response: McpServerList },
      handler: (tenant, { query }) => listServers(tenant, query),
    }),
    tenantRoute({
      method: 'GET',
      path: '/mcp-servers/:name',
      permission: 'tools:read',
      summary: 'Get an MCP server with the tools that were discovered last',
      schema: { params: McpServerPath, response: McpServerDetail },
      handler: (tenant, { params }) => getServer(tenant, params.name),
    }),
    tenantRoute({
      method: 'PUT',
      path: '/mcp-servers/:name',
      permission: 'tools:write',
      summary: 'Create an MCP server or replace its configuration; its tools have to be discovered anew',
      schema: { params: McpServerPath, body: McpServerSave, response: McpServerDetail },
      handler: (tenant, { params, body }) => saveServer(mcp, tenant, params.name, body),
    }),
    tenantRoute({
      method: 'DELETE',
      path: '/mcp-servers/:name',
      permission: 'tools:write',
      summary: 'Delete an MCP server; the answer is what it was',
      schema: { params: McpServerPath, response: McpServerDetail },
      handler: (tenant, { params }) => removeServer(tenant, params.name),
    }),
    tenantRoute({
      method: 'POST',
      path: '/mcp-servers/:name/discover',
      permission: 'tools:write',
      summary: 'Connect to an MCP server and keep the list of its tools',
      schema: { params: McpServerPath, response: McpServerDetail },
      handler: (tenant, { params }) => discoverServer({ mcp, vault }, tenant, params.name),
    }),
  ]
}
