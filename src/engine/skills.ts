import { parseDocument } from 'yaml'

/** Instructions that a model reads when it needs them: what is known of them beforehand, and the whole text. */
export interface Skill {
  readonly name: string
  readonly description: string
  /** Markdown, without the front matter. */
  readonly body: string
}

export type SkillResult = { readonly ok: true; readonly skill: Skill } | { readonly ok: false; readonly reason: string }

/** Characters of a SKILL.md; the front matter is bounded on its own, before anything parses it. */
export const maxSkillCharacters = 64 * 1024
const maxSkills = 50
const maxFrontMatter = 4 * 1024
const mostOf = { name: 64, description: 1024 } as const
/** Fields of the format that mean nothing here. `allowed-tools` least of all: what may be called, the node says. */
const ignored = ['license', 'compatibility', 'metadata', 'allowed-tools']

export const skillName = /^[a-z0-9]+(-[a-z0-9]+)*$/
const opening = /^\uFEFF?---[ \t]*\r?\n/
const closing = /\r?\n---[ \t]*(\r?\n|$)/
const control = /\p{Cc}/u
/** What opens a list or map inside a line. A few are plenty, and thousands inside each other take the parser long. */
const nesting = /[[{]|(?<=^|\s)[-?](?=\s)/gm
const maxNesting = 64

/** Where a package keeps a skill. */
export const skillFile = /^skills\/([a-z0-9-]{1,64})\/SKILL\.md$/

/** The skills of a checked package, by name; `files` are its texts by path. */
export function skillsIn(files: Iterable<readonly [path: string, text: string]>): Map<string, Skill> {
  const skills = new Map<string, Skill>()
  for (const [path, text] of files) {
    const read = skillFile.test(path) ? parseSkill(text) : null
    if (read?.ok) skills.set(read.skill.name, read.skill)
  }
  return skills
}

/** What is wrong with the skills of a package, by file. */
export function checkSkills(files: ReadonlyMap<string, string>): { file: string; path: ''; reason: string }[] {
  const skills = [...files].filter(([file]) => skillFile.test(file))
  if (skills.length > maxSkills)
    return [{ file: 'skills', path: '', reason: `a package has at most ${maxSkills} skills` }]
  return skills.flatMap(([file, text]) => {
    const folder = file.split('/')[1]
    const read = parseSkill(text)
    if (!read.ok) return [{ file, path: '' as const, reason: read.reason }]
    const { name } = read.skill
    return name === folder
      ? []
      : [{ file, path: '' as const, reason: `its name is "${name}"; it must be that of its folder` }]
  })
}

/** Reads a SKILL.md: YAML between two lines of `---`, then Markdown. Never throws; safe for any text. */
export function parseSkill(text: string): SkillResult {
  if (text.length > maxSkillCharacters) return no(`it has more than ${maxSkillCharacters} characters`)
  const start = opening.exec(text)?.[0].length
  if (start === undefined) return no('it must begin with a line "---", then name and description, then another "---"')
  const rest = text.slice(start - 1) // with the line break before it, so that an empty front matter is found as well
  const end = closing.exec(rest)
  if (!end) return no('its front matter has no end: a line "---" is missing')
  if (end.index > maxFrontMatter) return no(`its front matter has more than ${maxFrontMatter} characters`)
  const fields = readFields(rest.slice(0, end.index))
  if (fields instanceof Error) return no(fields.message)
  const wrong = wrongField(fields)
  if (wrong) return no(wrong)
  const body = rest.slice(end.index + end[0].length).trim()
  if (body === '') return no('nothing follows its front matter')
  const { name, description } = fields as { name: string; description: string }
  return { ok: true, skill: { name, description: description.trim(), body } }
}

/** Plain YAML 1.2, without aliases: those can stand for more than anyone can hold. */
function readFields(yaml: string): Record<string, unknown> | Error {
  if ((yaml.match(nesting)?.length ?? 0) > maxNesting) return new Error('its front matter holds too many lists')
  try {
    const document = parseDocument(yaml, {
      version: '1.2',
      schema: 'core',
      strict: true,
      uniqueKeys: true,
      logLevel: 'silent',
    })
    const [problem = document.warnings[0]] = document.errors
    if (problem) return new Error(`its front matter is not YAML: ${problem.message.split('\n')[0]}`)
    const fields: unknown = document.toJS({ maxAliasCount: 0 })
    if (typeof fields === 'object' && fields !== null && !Array.isArray(fields))
      return fields as Record<string, unknown>
    return new Error('its front matter must name fields, such as "name: refunds"')
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n')[0] : 'it cannot be read'
    return new Error(`its front matter cannot be taken: ${why}`)
  }
}

function wrongField(fields: Record<string, unknown>): string | null {
  for (const field of Object.keys(fields)) {
    if (!Object.hasOwn(mostOf, field) && !ignored.includes(field))
      return `its front matter has an unknown field "${field.slice(0, 64)}"`
  }
  for (const [field, most] of Object.entries(mostOf)) {
    const value = fields[field]
    if (typeof value !== 'string' || value.trim() === '') return `its front matter needs ${field}, a text`
    if (value.length > most) return `its ${field} has more than ${most} characters`
    if (control.test(value.replace(/[\r\n\t]/g, ' '))) return `its ${field} holds a control character`
  }
  const { name } = fields as { name: string }
  return skillName.test(name) ? null : 'its name must be lower-case words joined by hyphens'
}

function no(reason: string): SkillResult {
  return { ok: false, reason }
}
