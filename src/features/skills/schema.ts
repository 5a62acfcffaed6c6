import { type Static, Type } from 'typebox'
import { Id, Name, Page, PageQuery, Strict, Time } from '../schema.ts'

export const SkillName = Name

export const Skill = Type.Object({
  id: Id,
  name: SkillName,
  description: Type.String(),
  createdAt: Time,
  createdBy: Type.String(),
})
export type Skill = Static<typeof Skill>

export const SkillDetail = Type.Object({
  ...Skill.properties,
  text: Type.String({ description: 'SKILL.md as it was uploaded.' }),
})
export type SkillDetail = Static<typeof SkillDetail>

export const SkillList = Page(Skill)
export const SkillQuery = Strict(PageQuery)
export const SkillPath = Strict({ name: SkillName })
