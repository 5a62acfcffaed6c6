import type { ToolSpec } from '../../engine/machine.ts'
import { loadSkill, mayCall, serverOf } from '../../engine/platform-tools.ts'
import { AppError } from '../../errors.ts'
import { describeSkills } from '../../features/skills/service.ts'
import type { EffectContext, EffectProviders, ModelEffect } from './effect.ts'
import { toolsOf, useServer } from './mcp-tool.ts'

/** As many as every provider of models takes. */
const maxTools = 120
const maxCharacters = 400_000

/** A question to a model with what the machine does not know of: tools of MCP servers, skills of the organization. */
export async function equip(
  providers: EffectProviders,
  context: EffectContext,
  question: ModelEffect,
): Promise<ModelEffect> {
  const { mcpTools, skills } = question
  if (mcpTools.length === 0 && skills.length === 0) return question
  const [tools, described] = [await specsFor(providers, context, mcpTools), await skillsFor(context, skills)]
  const list = described.map(({ name, description }) => `- ${name}: ${description}`).join('\n')
  const told = `Skills of your organization, to be loaded with ${loadSkill} when one fits:\n${list}`
  const messages = question.messages.map((message, index) =>
    index === 0 && list !== '' ? { role: 'system' as const, content: `${message.content}\n\n${told}` } : message,
  )
  return { ...question, tools: [...question.tools, ...tools], messages }
}

/**
 * The MCP tools that these names stand for (`server__tool`, or all of a server's, `server__*`), as far as the
 * organization allows them. Throws an `mcp_` code, or what a credential lacks.
 */
export async function specsFor(
  providers: EffectProviders,
  context: EffectContext,
  mcpTools: readonly string[],
): Promise<ToolSpec[]> {
  const servers = [...new Set(mcpTools.map(serverOf))].sort()
  const found = await Promise.all(
    servers.map(async (name) => await toolsOf(providers, context, await useServer(providers, context, name))),
  )
  const usable = found.flat().filter((tool) => tool.allowed && !tool.problem && mayCall(mcpTools, tool.calledAs))
  const specs = usable.map(({ calledAs: name, description, inputSchema }) => ({ name, description, inputSchema }))
  if (specs.length > maxTools) {
    throw new AppError('input_invalid', `the node names ${specs.length} MCP tools; a model takes at most ${maxTools}`)
  }
  if (JSON.stringify(specs).length > maxCharacters) {
    throw new AppError(
      'input_invalid',
      'the MCP tools that the node names are too long for a model; name fewer of them',
    )
  }
  return specs
}

/** The skills of these names that the organization has, each with what it is about. */
export async function skillsFor(
  { tenant }: EffectContext,
  skills: readonly string[],
): Promise<{ name: string; description: string }[]> {
  return await describeSkills(tenant.rows, skills)
}
