import type { Outgoing } from '../features/notifications/outbox.ts'

// What a notification says: ids, a title, an agent and a link. What is asked or was found stands in the console only.

interface Place {
  readonly alias: string
  readonly publicUrl: string | undefined
}

type Told = Pick<Outgoing, 'type' | 'data' | 'createdAt' | 'title' | 'agent'>

/** The body of a webhook, as Standard Webhooks recommends it. */
export function messageOf(told: Told, place: Place): object {
  const { type, data, createdAt, title, agent } = told
  const url = linkOf(told, place)
  return {
    type,
    timestamp: createdAt,
    data: { organization: place.alias, ...data, ...(title && { title }), ...(agent && { agent }), ...(url && { url }) },
  }
}

const subjects: Readonly<Record<string, string>> = {
  'approval.requested': 'Your decision is needed',
  'approval.escalated': 'Your decision is needed: nobody decided in time',
  'approval.decided': 'It was decided',
  'approval.expired': 'Nobody decided in time',
  'run.completed': 'A run has ended',
  'run.failed': 'A run has failed',
}

export function mailOf(told: Told, place: Place): { subject: string; text: string } {
  const { title, agent } = told
  const about = subjects[told.type] ?? told.type
  const url = linkOf(told, place)
  const lines = [
    about,
    '',
    ...(title ? [title] : []),
    ...(agent ? [`Agent: ${agent}`] : []),
    '',
    ...(url ? [url, ''] : []),
  ]
  const end = 'You get this because you asked EngineX for mail. You can switch it off in your settings.'
  return { subject: title ? `${about}: ${title}` : about, text: [...lines, end, ''].join('\n') }
}

function linkOf({ data }: Told, { alias, publicUrl }: Place): string | null {
  if (!publicUrl || !data.sessionId) return null
  const page = data.approvalId ? `approvals/${data.approvalId}` : `sessions/${data.sessionId}`
  return `${publicUrl}/o/${alias}/${page}`
}
