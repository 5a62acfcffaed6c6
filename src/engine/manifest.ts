import Ajv, { type ErrorObject } from 'ajv/dist/2020.js'
import type { GraphFault } from './graph.ts'
import { fromOriginal, locate } from './original.ts'
import { checkReferences } from './references.ts'
import { type Manifest, packageSchema } from './schema.ts'
import { escapePointer } from './schemas.ts'

/** The manifest when it is sound, and else every place that is not. */
export interface ReadManifest {
  readonly manifest: Manifest | null
  readonly faults: readonly GraphFault[]
}

const maxDepth = 40
const forbiddenKeys = new Set(['__proto__', 'constructor', 'prototype'])
/** Parts of the original's nodes that are refused by name, so that nobody believes they work. */
const notYet = new Set(['nodeSchema', 'inputSchema', 'outputSchema'])
/** Types of nodes. */
const types = 'function, event_loop, subagent, approval, router, map'
/** With one of these a value may have another type than its schema says; references cannot be followed then. */
const breaking = new Set(['type', 'required', 'discriminator', 'oneOf', 'anyOf', 'const', 'enum', 'not'])

const validate = new Ajv.default({
  allErrors: true,
  discriminator: true,
  strict: false,
  verbose: true,
}).compile<Manifest>(packageSchema)

/** Reads agent.json in our form or the original's. `files` are the other texts of the package. */
export function readManifest(text: string, files: ReadonlyMap<string, string>): ReadManifest {
  const document = parse(text)
  if (document instanceof Error) return { manifest: null, faults: [{ path: '', reason: document.message }] }
  const unsafe = checkText(document)
  if (unsafe.length > 0) return { manifest: null, faults: unsafe }
  const candidate = fromOriginal(document)
  const sound = validate(candidate)
  const errors = sound ? [] : (validate.errors ?? [])
  const faults = errors.filter(isPlain).map(faultOf)
  if (!errors.some((error) => breaking.has(error.keyword)))
    faults.push(...checkReferences(candidate as Manifest, files))
  const placed = onePerPlace(faults).map(({ path, reason }) => ({ path: locate(document, path), reason }))
  return { manifest: placed.length === 0 ? (candidate as Manifest) : null, faults: placed }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    return new Error(`is not JSON: ${error instanceof Error ? error.message : 'cannot be read'}`)
  }
}

/** Before anything walks the document: no depth that breaks a walk, no keys that mean more than themselves, no text that PostgreSQL refuses. */
function checkText(document: unknown): GraphFault[] {
  const faults: GraphFault[] = []
  const waiting = [{ value: document, path: '', depth: 0 }]
  for (let item = waiting.pop(); item; item = waiting.pop()) {
    const { value, path, depth } = item
    if (typeof value === 'string' && !isStorable(value))
      faults.push({ path, reason: 'holds a NUL or half a character' })
    if (typeof value !== 'object' || value === null) continue
    if (depth >= maxDepth) return [{ path, reason: `is nested deeper than ${maxDepth}` }]
    for (const [key, child] of Object.entries(value)) {
      const at = `${path}/${escapePointer(key)}`
      if (forbiddenKeys.has(key) || !isStorable(key)) faults.push({ path: at, reason: 'this name is not allowed' })
      waiting.push({ value: child, path: at, depth: depth + 1 })
    }
  }
  return faults
}

/** The first, since what follows at the same place mostly follows from it. */
function onePerPlace(faults: readonly GraphFault[]): GraphFault[] {
  const places = new Set<string>()
  return faults.filter(({ path, reason }) => {
    const place = reason.endsWith('is missing') ? `${path} ${reason}` : path
    return !places.has(place) && places.add(place)
  })
}

function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0')
}

/** Errors that only repeat what another one says in more words. */
function isPlain({ keyword, params }: ErrorObject): boolean {
  if (keyword === 'discriminator') return params.tagValue !== undefined
  return !['oneOf', 'anyOf', 'if', 'propertyNames'].includes(keyword)
}

function faultOf({ instancePath: path, keyword, params, message = 'is wrong' }: ErrorObject): GraphFault {
  switch (keyword) {
    case 'additionalProperties': {
      const name = String(params.additionalProperty)
      return {
        path: `${path}/${escapePointer(name)}`,
        reason: notYet.has(name) ? 'is not supported yet' : 'unknown property',
      }
    }
    case 'required':
      return { path, reason: `"${params.missingProperty}" is missing` }
    case 'discriminator':
      return { path: `${path}/type`, reason: `there is no such type of node; there are ${types}` }
    case 'enum':
      return { path, reason: `must be one of ${(params.allowedValues as unknown[]).join(', ')}` }
    default:
      return { path, reason: message }
  }
}
