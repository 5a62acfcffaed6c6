import { readFile } from 'node:fs/promises'
import type { Static } from 'typebox'
import type { TenantQueries } from '../../db/queries.ts'
import { type Skill as ParsedSkill, parseSkill } from '../../engine/skills.ts'
import { AppError, notFound } from '../../errors.ts'
import { readArchive } from '../../providers/archive.ts'
import type { TenantContext } from '../../tenancy/context.ts'
import type { UploadedFile } from '../../tenancy/route.ts'
import { record } from '../audit/service.ts'
import { type PageInput, pageOf, readCursor } from '../pages.ts'
import { countRows, deleteRow, findDescriptions, findRow, listRows, saveRow } from './repository.ts'
import type { Skill, SkillDetail, SkillList } from './schema.ts'

type Reader = TenantContext<'tools:read'>
type Writer = TenantContext<'tools:read' | 'tools:write'>

const maxSkills = 200
const file = 'SKILL.md'
const limits = { maxFiles: 20, maxFileBytes: 1024 * 1024, maxBytes: 4 * 1024 * 1024, maxRatio: 100 }

export async function listSkills(tenant: Reader, { limit = 20, cursor }: PageInput): Promise<Static<typeof SkillList>> {
  const rows = await listRows(tenant.rows, limit, readCursor(tenant.tenantId, cursor), {})
  return pageOf(tenant.tenantId, rows, limit, (row) => ({ time: row.created_at, id: row.id }), toSkill)
}

export async function getSkill(tenant: Reader, name: string): Promise<SkillDetail> {
  const [row] = await findRow(tenant.rows, { name })
  if (!row) throw notFound('skill')
  return { ...toSkill(row), text: row.text }
}

/** Stores a skill under its name, in place of the one that was there. Throws package_invalid with what is wrong. */
export async function saveSkill(tenant: Writer, name: string, upload: UploadedFile | undefined): Promise<SkillDetail> {
  if (upload?.field !== 'skill')
    throw new AppError('invalid_request', 'send SKILL.md, or a .zip of it, as part `skill`')
  const text = await textOf(upload.path)
  const { description } = checked(text, name)
  await tenant.transaction(async (tx) => {
    const id = await saveRow(tx, { name, description, text })
    if ((await countRows(tx)) > maxSkills) throw new AppError('conflict', `there are ${maxSkills} skills already`)
    await record(tx, 'skills.update', `skill:${id}`)
  })
  return await getSkill(tenant, name)
}

export async function removeSkill(tenant: Writer, name: string): Promise<SkillDetail> {
  const skill = await getSkill(tenant, name)
  await tenant.transaction(async (tx) => {
    const id = await deleteRow(tx, name)
    if (!id) throw notFound('skill')
    await record(tx, 'skills.delete', `skill:${id}`)
  })
  return skill
}

/** Those of these skills that the organization has, with what they are about. */
export async function describeSkills(queries: TenantQueries, names: readonly string[]) {
  return names.length > 0 ? await findDescriptions(queries, names) : []
}

/** A skill of the organization as a model reads it; undefined when there is none of this name. */
export async function readSkill(queries: TenantQueries, name: string): Promise<ParsedSkill | undefined> {
  const [row] = await findRow(queries, { name })
  return row && checked(row.text, name)
}

async function textOf(path: string): Promise<string> {
  const bytes = await readFile(path)
  const isArchive = bytes.subarray(0, 2).toString('latin1') === 'PK'
  const files = isArchive ? await readArchive(bytes, limits) : new Map([[file, bytes]])
  const [other] = [...files.keys()].filter((one) => one !== file)
  if (other !== undefined) throw invalid(other, 'a skill is one file, SKILL.md')
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(files.get(file))
  } catch {
    throw invalid(file, 'is not UTF-8 text')
  }
}

function checked(text: string, name: string): ParsedSkill {
  const read = parseSkill(text)
  if (!read.ok) throw invalid(file, read.reason)
  if (/[\0]/.test(text)) throw invalid(file, 'holds a NUL')
  if (read.skill.name !== name) throw invalid(file, `its name is "${read.skill.name}", but the address says ${name}`)
  return read.skill
}

function invalid(name: string, reason: string): AppError {
  return new AppError('package_invalid', `${name}: ${reason}`, { faults: [{ file: name, reason }] })
}

function toSkill(row: Awaited<ReturnType<typeof listRows>>[number]): Skill {
  const { id, name, description, created_at, created_by: createdBy } = row
  return { id, name, description, createdAt: created_at.toISOString(), createdBy }
}
