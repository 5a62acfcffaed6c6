import { notFound } from '../../errors.ts'
import type { Files } from '../../providers/files.ts'
import { listTemplates, readTemplate } from '../../templates/index.ts'
import type { TenantContext } from '../../tenancy/context.ts'
import type { AgentVersion, Template } from './schema.ts'
import { deployFiles } from './service.ts'

/** The packages that ship with the product. */
export async function templates(tenant: TenantContext<'agents:read'>): Promise<{ items: Template[] }> {
  await tenant.prove()
  return { items: await listTemplates() }
}

/** Deploys a template as an agent of this organization and makes its version the active one. */
export async function deployTemplate(
  files: Files,
  tenant: TenantContext<'agents:read' | 'agents:write'>,
  name: string,
): Promise<AgentVersion> {
  const { items } = await templates(tenant)
  if (!items.some((template) => template.name === name)) throw notFound('template')
  return await deployFiles(files, tenant, name, await readTemplate(name), true)
}
