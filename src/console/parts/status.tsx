import { Badge } from '@mantine/core'

const looks: Readonly<Record<string, readonly [color: string, text: string]>> = {
  queued: ['gray', 'Queued'],
  running: ['blue', 'Running'],
  waiting: ['amber', 'Waits for a person'],
  paused: ['orange', 'Paused'],
  completed: ['pine', 'Completed'],
  rejected: ['grape', 'Rejected'],
  failed: ['red', 'Failed'],
  cancelled: ['gray', 'Cancelled'],
  pending: ['amber', 'Pending'],
  approved: ['pine', 'Approved'],
  edited: ['pine', 'Approved with edits'],
  withdrawn: ['gray', 'Withdrawn'],
  active: ['pine', 'Active'],
  archived: ['gray', 'Archived'],
  suspended: ['red', 'Suspended'],
  removed: ['gray', 'Removed'],
  done: ['pine', 'Done'],
  denied: ['red', 'Denied'],
}

/** Where something stands, in a word and a colour. */
export function Status({ value }: { readonly value: string }) {
  const [color, text] = looks[value] ?? ['gray', value]
  return <Badge color={color}>{text}</Badge>
}
