import { readManifest } from './manifest.ts'
import type { Manifest } from './schema.ts'
import { checkSkills, maxSkillCharacters, skillFile } from './skills.ts'

/** One place in a package that is wrong. `path` is a JSON pointer into the file, empty for the whole of it. */
export interface Fault {
  readonly file: string
  readonly path: string
  readonly reason: string
}

/** A checked package. `files` are its texts by path: tools, prompts and skills. */
export interface AgentPackage {
  readonly manifest: Manifest
  readonly files: Record<string, string>
}

export type PackageResult = { ok: true; package: AgentPackage } | { ok: false; faults: Fault[] }

const manifestFile = 'agent.json'
/** Bytes, by where the file lies. */
const sizes = {
  manifest: 256 * 1024,
  tool: 512 * 1024,
  prompt: 64 * 1024,
  skill: maxSkillCharacters,
  all: 4 * 1024 * 1024,
}
const maxFaults = 100
/** The addresses, commands and secrets in it are the organization's business: no package brings them. */
const serversElsewhere =
  'an MCP server is set up by your organization, with its address and its secrets; leave this file out and name the server in mcpServers of agent.json'
/** For people who open the package; the platform does not read them. */
const ignored = /^(README(\.md)?|LICENSE(\.md|\.txt)?|CHANGELOG\.md)$/
const places: readonly (readonly [RegExp, number])[] = [
  [/^agent\.json$/, sizes.manifest],
  [/^tools\/[A-Za-z0-9_./-]+\.js$/, sizes.tool],
  [/^prompts\/[A-Za-z0-9_./-]+\.md$/, sizes.prompt],
  [skillFile, sizes.skill],
]

/**
 * Checks the files of a package, all of it: never only the first fault (but at most 100). What cannot be understood
 * hides what depends on it. Pure, and safe for any bytes.
 */
export function parsePackage(files: ReadonlyMap<string, Uint8Array>): PackageResult {
  const { texts, faults } = readTexts(files)
  const text = texts.get(manifestFile)
  if (text === undefined) {
    if (!files.has(manifestFile))
      faults.push({ file: manifestFile, path: '', reason: 'is missing at the top of the package' })
    return { ok: false, faults }
  }
  texts.delete(manifestFile)
  faults.push(...checkSkills(texts))
  const read = readManifest(text, texts)
  faults.push(...read.faults.map((fault) => ({ file: manifestFile, ...fault })))
  if (faults.length > 0 || !read.manifest) return { ok: false, faults: faults.slice(0, maxFaults) }
  return { ok: true, package: { manifest: read.manifest, files: Object.fromEntries(texts) } }
}

function readTexts(files: ReadonlyMap<string, Uint8Array>): { texts: Map<string, string>; faults: Fault[] } {
  const texts = new Map<string, string>()
  const faults: Fault[] = []
  let total = 0
  for (const [file, bytes] of files) {
    if (ignored.test(file)) continue
    total += bytes.length
    const fault = misplaced(file, bytes.length)
    const text = fault ? undefined : decode(bytes)
    if (text !== undefined) texts.set(file, text)
    else faults.push({ file, path: '', reason: fault ?? 'is not UTF-8 text' })
  }
  if (total > sizes.all) {
    faults.push({ file: manifestFile, path: '', reason: `the package holds ${total} bytes, more than ${sizes.all}` })
  }
  return { texts, faults }
}

function misplaced(file: string, bytes: number): string | undefined {
  if (file === 'mcp_servers.json') return serversElsewhere
  if (file.endsWith('.py')) return 'code in Python is not supported; write tools in JavaScript'
  const place = file.split('/').includes('..') ? undefined : places.find(([pattern]) => pattern.test(file))
  if (!place && file.startsWith('skills/'))
    return 'a skill is one file, skills/<name>/SKILL.md, its name in lower-case words'
  if (!place)
    return 'is not part of a package: it holds agent.json, tools/*.js, prompts/*.md, skills/*/SKILL.md and a README.md'
  return bytes > place[1] ? `holds ${bytes} bytes, more than ${place[1]}` : undefined
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return text.includes('\0') ? undefined : text
  } catch {
    return undefined
  }
}
