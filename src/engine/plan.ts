import { type Condition, createConditions } from './conditions.ts'
import { type JoinOf, joinsOf } from './joins.ts'
import { memoryKeys } from './keys.ts'
import type { AgentPackage } from './package.ts'
import { promptFile } from './references.ts'
import type { Criterion, Edge, Manifest, Node } from './schema.ts'
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
  /** Whether a person is asked after it. */
  readonly paused: boolean
  /** The highest priority first. */
  readonly edges: readonly EdgePlan[]
}

export interface CriterionPlan {
  readonly criterion: Criterion
  /** Null for one that a model judges. */
  readonly holds: Condition | null
}

export interface Limits {
  readonly maxSteps: number
  readonly maxIterations: number
  readonly maxToolCallsPerTurn: number
  readonly maxHistoryTokens: number
  /** Of the whole run; endless when the package names none. */
  readonly maxTokens: number
  readonly maxToolCalls: number
}

/** A package as the machine uses it: everything looked up and compiled. */
export interface Plan {
  readonly manifest: Manifest
  readonly nodes: ReadonlyMap<string, NodePlan>
  readonly tools: ReadonlyMap<string, NonNullable<Manifest['tools']>[number]>
  /** The package's own, by name. */
  readonly skills: ReadonlyMap<string, Skill>
  readonly limits: Limits
  readonly criteria: readonly CriterionPlan[]
  readonly joinOf: JoinOf
  /** Of memory, without the machine's own. */
  readonly keys: readonly string[]
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
  const { nodes, edges, terminalNodes, pauseNodes = [], loopConfig = {} } = manifest.graph
  const keys = memoryKeys(manifest)
  const compile = createConditions(keys)
  const plans = edges.map((edge): EdgePlan => ({ edge, holds: edge.expression ? compile(edge.expression) : null }))
  const edgesOf = (id: string) =>
    plans.filter(({ edge }) => edge.source === id).sort((a, b) => (b.edge.priority ?? 0) - (a.edge.priority ?? 0))
  return {
    manifest,
    nodes: new Map(
      nodes.map((node) => {
        const terminal = terminalNodes.includes(node.id)
        // An approval is itself such a question.
        const paused = node.type !== 'approval' && pauseNodes.includes(node.id)
        return [node.id, { node, terminal, paused, edges: edgesOf(node.id) }]
      }),
    ),
    tools: new Map((manifest.tools ?? []).map((tool) => [tool.name, tool])),
    skills: skillsIn(Object.entries(files)),
    limits: {
      maxSteps: loopConfig.maxSteps ?? 100,
      maxIterations: loopConfig.maxIterations ?? 10,
      maxToolCallsPerTurn: loopConfig.maxToolCallsPerTurn ?? 8,
      maxHistoryTokens: loopConfig.maxHistoryTokens ?? 32_000,
      maxTokens: loopConfig.maxTokens ?? Number.POSITIVE_INFINITY,
      maxToolCalls: loopConfig.maxToolCalls ?? Number.POSITIVE_INFINITY,
    },
    criteria: (manifest.goal.successCriteria ?? []).map((criterion) => {
      return { criterion, holds: criterion.expression ? compile(criterion.expression) : null }
    }),
    joinOf: joinsOf(manifest.graph),
    keys: [...keys],
    checkValue: createValueCheck(),
    promptOf: (text) => (promptFile.test(text) ? (files[text] ?? '') : text),
  }
}
