import { Badge, Card, Group, Stack, Text } from '@mantine/core'
import { humanize } from '../../parts/text.ts'

interface Node {
  readonly id: string
  readonly name?: string
  readonly description?: string
  readonly type: string
  readonly tool?: string
}

interface Edge {
  readonly source: string
  readonly target: string
  readonly condition: string
  readonly expression?: string
  readonly priority?: number
}

export interface Graph {
  readonly entryNode: string
  readonly nodes: readonly Node[]
  readonly edges: readonly Edge[]
  readonly terminalNodes: readonly string[]
}

const kinds: Readonly<Record<string, readonly [color: string, words: string]>> = {
  function: ['gray', 'Tool'],
  event_loop: ['blue', 'Model'],
  approval: ['amber', 'Person'],
}

const conditions: Readonly<Record<string, string>> = {
  always: 'always',
  on_success: 'on success',
  on_failure: 'on failure',
}

/** A workflow as a list: every node with where it leads, the first choice first. */
export function Workflow({ graph }: { readonly graph: Graph }) {
  return (
    <Card>
      <Stack gap="md" component="ol" m={0} pl="lg">
        {graph.nodes.map((node) => (
          <li key={node.id}>
            <Group gap="xs">
              <Text fw={600} size="sm">
                {node.name ?? humanize(node.id)}
              </Text>
              <Badge color={kinds[node.type]?.[0] ?? 'gray'}>{kinds[node.type]?.[1] ?? node.type}</Badge>
              {node.id === graph.entryNode && <Badge variant="outline">Start</Badge>}
              {graph.terminalNodes.includes(node.id) && (
                <Badge variant="outline" color="gray">
                  End
                </Badge>
              )}
            </Group>
            {node.description && (
              <Text size="sm" c="dimmed">
                {node.description}
              </Text>
            )}
            {outgoing(graph, node.id).map(({ target, condition, expression }) => (
              <Text size="xs" c="dimmed" key={`${target}${condition}${expression ?? ''}`}>
                → <strong>{target}</strong> {expression ? <>when {expression}</> : (conditions[condition] ?? condition)}
              </Text>
            ))}
          </li>
        ))}
      </Stack>
    </Card>
  )
}

function outgoing({ edges }: Graph, source: string): readonly Edge[] {
  return edges
    .filter((edge) => edge.source === source)
    .toSorted((left, right) => (right.priority ?? 0) - (left.priority ?? 0))
}
