import { type Condition, createConditions } from './conditions.ts'
import { memoryKeys } from './keys.ts'
import type { AgentPackage } from './package.ts'
import { promptFile } from './references.ts'
import type { Edge, Manifest, Node } from './schema.ts'
import { type Skill, skillsIn } from './skills.ts'
import { type CheckValue, createValueCheck } from './values.ts'

export interface EdgePlan {
  readonly edge: Edge
  /** Null for an edge without an expression. */
  readonly holds: Condition | null
}

export interface NodePlan {
  readonly node: Node
  readonly terminal: boolean
  /** In the order in which they are tried. */
  readonly edges: readonly EdgePlan[]
}

export interface Limits {
  readonly maxSteps: number
  readonly maxIterations: number
  readonly maxToolCallsPerTurn: number
  readonly maxHistoryTokens: number
}

/** A package as the machine uses it: everything looked up and compiled. */
export interface Plan {
  readonly manifest: Manifest
  readonly nodes: ReadonlyMap<string, NodePlan>
  readonly tools: ReadonlyMap<string, NonNullable<Manifest['tools']>[number]>
  /** The package's own, by name. */
  readonly skills: ReadonlyMap<string, Skill>
  readonly limits: Limits
  readonly promptOf: (text: string) => string
  readonly checkValue: CheckValue
}

const plans = new WeakMap<AgentPackage, Plan>()

/** The plan of a checked package; made once for each package object. */
export function planOf(pkg: AgentPackage): Plan {
  let plan = plans.get(pkg)
  if (!plan) {
    plan = makePlan(pkg)
    plans.set(pkg, plan)
  }
  return plan
}

function makePlan({ manifest, files }: AgentPackage): Plan {
  const { nodes, edges, terminalNodes, loopConfig = {} } = manifest.graph
  const compile = createConditions(memoryKeys(manifest))
  const plans = edges.map((edge): EdgePlan => ({ edge, holds: edge.expression ? compile(edge.expression) : null }))
  const edgesOf = (id: string) =>
    plans.filter(({ edge }) => edge.source === id).sort((a, b) => (b.edge.priority ?? 0) - (a.edge.priority ?? 0))
  return {
    manifest,
    nodes: new Map(
      nodes.map((node) => [node.id, { node, terminal: terminalNodes.includes(node.id), edges: edgesOf(node.id) }]),
    ),
    tools: new Map((manifest.tools ?? []).map((tool) => [tool.name, tool])),
    skills: skillsIn(Object.entries(files)),
    limits: {
      maxSteps: loopConfig.maxSteps ?? 100,
      maxIterations: loopConfig.maxIterations ?? 10,
      maxToolCallsPerTurn: loopConfig.maxToolCallsPerTurn ?? 8,
      maxHistoryTokens: loopConfig.maxHistoryTokens ?? 32_000,
    },
    checkValue: createValueCheck(),
    promptOf: (text) => (promptFile.test(text) ? (files[text] ?? '') : text),
  }
}
