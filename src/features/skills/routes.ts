import { tenantRoute } from '../../tenancy/route.ts'
import { SkillDetail, SkillList, SkillPath, SkillQuery } from './schema.ts'
import { getSkill, listSkills, removeSkill, saveSkill } from './service.ts'

const skillLimits = { maxFiles: 1, maxBytes: 2 * 1024 * 1024 }

export const skillRoutes = [
  tenantRoute({
    method: 'GET',
    path: '/skills',
    permission: 'tools:read',
    summary: 'List the skills of this organization, newest first',
    schema: { query: SkillQuery, response: SkillList },
    handler: (tenant, { query }) => listSkills(tenant, query),
  }),
  tenantRoute({
    method: 'GET',
    path: '/skills/:name',
    permission: 'tools:read',
    summary: 'Get a skill with its text',
    schema: { params: SkillPath, response: SkillDetail },
    handler: (tenant, { params }) => getSkill(tenant, params.name),
  }),
  tenantRoute({
    method: 'PUT',
    path: '/skills/:name',
    permission: 'tools:write',
    summary: 'Store a skill (SKILL.md, or a .zip of it, part `skill`), in place of the one of that name',
    upload: skillLimits,
    schema: { params: SkillPath, response: SkillDetail },
    handler: (tenant, { params, files: [upload] }) => saveSkill(tenant, params.name, upload),
  }),
  tenantRoute({
    method: 'DELETE',
    path: '/skills/:name',
    permission: 'tools:write',
    summary: 'Delete a skill; the answer is what was deleted',
    schema: { params: SkillPath, response: SkillDetail },
    handler: (tenant, { params }) => removeSkill(tenant, params.name),
  }),
]
