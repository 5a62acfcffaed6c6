import { parseSkill } from '../../engine/skills.ts'
import { readSkill } from '../../features/skills/service.ts'
import { failed, type PerformTool } from './effect.ts'

/** The instructions of a skill: the package's own, else the organization's. Which ones a node may load the machine knows. */
export const skillTool: PerformTool = async (_, { agent, tenant }, { call, input }) => {
  const name = String(input.name ?? '')
  const own = agent.files[`skills/${name}/SKILL.md`]
  const read = own === undefined ? undefined : parseSkill(own)
  const skill = read?.ok ? read.skill : await readSkill(tenant.rows, name)
  if (!skill) return failed(call, 'skill_unknown', `there is no skill ${name.slice(0, 64)}`)
  return { input: { kind: 'tool_result', call, result: { ok: true, output: skill.body } } }
}
