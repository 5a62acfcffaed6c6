import { Card, Group, Text, Timeline } from '@mantine/core'
import type { Step } from '../../../features/runs/schema.ts'
import { useResource } from '../../api/hooks.ts'
import { resources } from '../../api/resources.ts'
import { Icon, type IconName } from '../../parts/icons.tsx'
import { Show } from '../../parts/states.tsx'
import { duration, humanize } from '../../parts/text.ts'
import { Time } from '../../parts/time.tsx'

const looks: Readonly<Record<Step['status'], readonly [color: string, icon: IconName, words: string]>> = {
  running: ['blue', 'play', 'running'],
  completed: ['pine', 'check', 'completed'],
  failed: ['red', 'cross', 'failed'],
  waiting: ['amber', 'inbox', 'waits for a person'],
}

const stopped = ['gray', 'cross', 'ended here'] as const

/** The steps of a run in the order they were taken; one that was under way when the run ended, ended with it. */
export function Steps({ runId, ended }: { readonly runId: string; readonly ended: boolean }) {
  const steps = useResource(resources.steps(runId))
  return (
    <Card>
      <Show reading={steps}>
        {({ items }) =>
          items.length === 0 ? (
            <Text size="sm" c="dimmed">
              The run waits for its first step.
            </Text>
          ) : (
            <Timeline bulletSize={24} lineWidth={2} active={items.length}>
              {items.map((step) => {
                const over = ended && step.finishedAt === null
                const [color, icon, words] = over ? stopped : looks[step.status]
                return (
                  <Timeline.Item
                    key={`${step.step}.${step.attempt}`}
                    color={color}
                    bullet={<Icon name={icon} size={13} />}
                    title={<StepTitle step={step} />}
                  >
                    <Text size="xs" c="dimmed">
                      {words} · <Time value={step.startedAt} as="clock" />
                      {step.finishedAt && ` · ${duration(Date.parse(step.finishedAt) - Date.parse(step.startedAt))}`}
                    </Text>
                    {step.error && (
                      <Text size="sm" c="red" className="prose">
                        {step.error.message}
                      </Text>
                    )}
                  </Timeline.Item>
                )
              })}
            </Timeline>
          )
        }
      </Show>
    </Card>
  )
}

function StepTitle({ step: { nodeId, attempt } }: { readonly step: Step }) {
  return (
    <Group gap={6}>
      <Text fw={600} size="sm">
        {humanize(nodeId)}
      </Text>
      {attempt > 1 && (
        <Text size="xs" c="dimmed">
          attempt {attempt}
        </Text>
      )}
    </Group>
  )
}
