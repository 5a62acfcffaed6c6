import { type ASTNode, Environment } from '@marcbachmann/cel-js'
import { isTooLarge, limitValue, TooLarge, weigh } from './limit-value.ts'

/** What a condition can see besides memory. */
export interface Outcome {
  readonly ok: boolean
  readonly error: { readonly code: string; readonly message: string } | null
}

/** Answers whether the condition holds. Throws with a readable message when it has no answer. */
export type Condition = (
  read: (key: string) => unknown,
  visits: Readonly<Record<string, number>>,
  result: Outcome,
) => boolean

/** Names that a key of memory cannot have, since conditions use them. */
export const reservedKeys: ReadonlySet<string> = new Set(['visits', 'result'])

const functions = new Set(['size', 'has', 'int', 'double', 'string', 'bool'])
const methods = new Set(['size', 'startsWith', 'endsWith', 'contains'])
/** Without `map`: chained, it builds values that are exponentially large to compare. */
const loops = new Set(['all', 'exists', 'exists_one', 'filter'])

/** For loops: what they go over, times what their bodies look at besides the item. See limit-value.ts for the unit. */
const maxLoopWork = 100_000

const limits = { maxAstNodes: 200, maxDepth: 24, maxListElements: 100, maxMapEntries: 20, maxCallArguments: 3 }

/** The language of conditions for one package: CEL over these keys. Keys that CEL cannot name are left out. */
export function createConditions(keys: Iterable<string>): (expression: string) => Condition {
  const environment = languageOf(keys)
  return (expression) => compile(environment, expression)
}

const plain = new Environment()

/** Whether CEL can name this key; it cannot when the word belongs to the language, such as `int` or `if`. */
export function canBeNamed(key: string): boolean {
  if (reservedKeys.has(key) || plain.hasVariable(key)) return false
  try {
    return plain.parse(key).ast.op === 'id'
  } catch {
    return false
  }
}

function languageOf(keys: Iterable<string>): Environment {
  const environment = new Environment({ homogeneousAggregateLiterals: false, limits })
    .registerType('TooLarge', { ctor: TooLarge, fields: {} })
    .registerFunction('size(TooLarge): int', (value: TooLarge) => BigInt(value.size))
    .registerFunction('TooLarge.size(): int', (value: TooLarge) => BigInt(value.size))
    .registerOperator('double % double', (left: number, right: number) => left % right)
  // Numbers in JSON are doubles and those in an expression often ints; an author should not have to care.
  for (const [left, right] of [
    ['int', 'double'],
    ['double', 'int'],
  ]) {
    environment
      .registerOperator(`${left} + ${right}: double`, (a: Num, b: Num) => Number(a) + Number(b))
      .registerOperator(`${left} - ${right}: double`, (a: Num, b: Num) => Number(a) - Number(b))
      .registerOperator(`${left} * ${right}: double`, (a: Num, b: Num) => Number(a) * Number(b))
      .registerOperator(`${left} / ${right}: double`, (a: Num, b: Num) => Number(a) / Number(b))
      .registerOperator(`${left} % ${right}: double`, (a: Num, b: Num) => Number(a) % Number(b))
  }
  environment.registerVariable('visits', 'dyn').registerVariable('result', 'dyn')
  for (const key of new Set(keys)) if (canBeNamed(key)) environment.registerVariable(key, 'dyn')
  return environment
}

type Num = number | bigint

/** Throws with a reason for the author when the expression is not valid. */
function compile(environment: Environment, expression: string): Condition {
  const parsed = orReason(() => environment.parse(expression))
  const names: Names = { outside: [], inside: [] }
  inspect(parsed.ast, names, false)
  const checked = parsed.check()
  if (!checked.valid) throw new Error(reasonOf(checked.error))
  if (checked.type !== 'bool' && checked.type !== 'dyn') {
    throw new Error(`it is a ${checked.type}; it must be true or false`)
  }
  return (read, visits, result) => {
    const context: Record<string, unknown> = Object.create(null)
    for (const name of [...names.outside, ...names.inside]) {
      if (name === 'visits') context[name] = visits
      else if (name === 'result') context[name] = result
      else if (!(name in context)) context[name] = limitValue(read(name) ?? null)
    }
    const heavy = loopWork(names, context)
    if (heavy > maxLoopWork) throw new Error('its loop looks at too much; do that in a tool')
    const value = orReason(() => parsed(context))
    if (typeof value !== 'boolean') throw new Error(`it is ${kindOf(value)}, not true or false`)
    return value
  }
}

/** Every mention of a name: in the bodies of loops, where it costs once for each item, and elsewhere. */
interface Names {
  readonly outside: string[]
  readonly inside: string[]
}

function loopWork({ outside, inside }: Names, context: Record<string, unknown>): number {
  if (inside.length === 0) return 0
  const sum = (names: readonly string[]) => names.reduce((total, name) => total + weigh(context[name]), 0)
  return sum(outside) * sum(inside)
}

/**
 * Refuses what could run for long, since nothing can stop an evaluation: loops inside loops, and functions that are not
 * on the list (`matches` takes any regular expression). Collects the names that the expression reads.
 */
function inspect(node: ASTNode, names: Names, inLoop: boolean): void {
  if (node.op === 'id') names[inLoop ? 'inside' : 'outside'].push(node.args)
  if (node.op === 'value') return
  if (node.op === 'call') {
    const [name, args] = node.args
    if (!functions.has(name)) throw new Error(`there is no function ${name}`)
    for (const arg of args) inspect(arg, names, inLoop)
    return
  }
  if (node.op === 'rcall') {
    const [name, receiver, args] = node.args
    const loop = loops.has(name)
    if (!loop && !methods.has(name)) throw new Error(`there is no function ${name}`)
    if (loop && inLoop) throw new Error(`${name} stands inside another loop; do that in a tool`)
    inspect(receiver, names, inLoop)
    for (const arg of args) inspect(arg, names, inLoop || loop)
    return
  }
  for (const child of childrenOf(node.args)) inspect(child, names, inLoop)
}

function childrenOf(args: unknown): ASTNode[] {
  if (Array.isArray(args)) return args.flatMap(childrenOf)
  return args !== null && typeof args === 'object' && 'op' in args ? [args as ASTNode] : []
}

function orReason<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw new Error(reasonOf(error))
  }
}

/** The library's message without its drawing of the place. */
function reasonOf(error: unknown): string {
  const [first = 'it is not valid'] = (error instanceof Error ? error.message : String(error)).split('\n')
  return first.includes('TooLarge') ? `${first}: a value is too large for a condition, only its size() is known` : first
}

function kindOf(value: unknown): string {
  if (value === null) return 'null'
  if (isTooLarge(value)) return 'too large a value'
  return Array.isArray(value) ? 'a list' : typeof value === 'object' ? 'an object' : `a ${typeof value}`
}
