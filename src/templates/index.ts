import { readdir, readFile } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { notFound } from '../errors.ts'

/** A package that ships with the product, as the catalog lists it. */
export interface TemplateSummary {
  readonly name: string
  readonly version: string
  readonly description: string
  readonly needsModel: boolean
}

/** Everything under these is for people and tests, not part of a package. */
const notPackaged = 'sample'

interface ManifestHead {
  version: string
  description: string
  graph: { nodes: { type: string }[] }
}

/** All templates, by name. */
export async function listTemplates(): Promise<TemplateSummary[]> {
  const names = await templateNames()
  return Promise.all(names.map(async (name) => summaryOf(name, await readTemplate(name))))
}

/** The package files of one template, by path; the same bytes each time. Throws `not_found` for an unknown name. */
export async function readTemplate(name: string): Promise<Map<string, Buffer>> {
  if (!(await templateNames()).includes(name)) throw notFound('template')
  const folder = join(import.meta.dirname, name)
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((path) => !path.startsWith(`${notPackaged}/`))
    .sort()
  const files = await Promise.all(paths.map(async (path) => [path, await readFile(join(folder, path))] as const))
  return new Map(files)
}

async function templateNames(): Promise<string[]> {
  const entries = await readdir(import.meta.dirname, { withFileTypes: true })
  return entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort()
}

function summaryOf(name: string, files: Map<string, Buffer>): TemplateSummary {
  const manifest = JSON.parse(String(files.get('agent.json'))) as ManifestHead
  const needsModel = manifest.graph.nodes.some((node) => node.type === 'event_loop')
  return { name, version: manifest.version, description: manifest.description, needsModel }
}
