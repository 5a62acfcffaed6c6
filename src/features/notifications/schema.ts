import { type Static, Type } from 'typebox'
import { Id, Nullable, Page, PageQuery, Strict, Time } from '../schema.ts'

export const NotificationType = Type.Enum([
  'approval.requested',
  'approval.escalated',
  'approval.decided',
  'approval.expired',
  'run.completed',
  'run.failed',
])
export type NotificationType = Static<typeof NotificationType>

const settings = {
  url: Type.String({ minLength: 1, maxLength: 2000, description: 'An https address on the public internet.' }),
  events: Type.Array(NotificationType, { minItems: 1, maxItems: 6, uniqueItems: true }),
}

export const EndpointCreate = Strict(settings)
export type EndpointCreate = Static<typeof EndpointCreate>
export const EndpointPatch = Strict({
  url: Type.Optional(settings.url),
  events: Type.Optional(settings.events),
  enabled: Type.Optional(Type.Boolean()),
})
export type EndpointPatch = Static<typeof EndpointPatch>

export const Endpoint = Type.Object({
  id: Id,
  ...settings,
  enabled: Type.Boolean(),
  disabledReason: Nullable(Type.String({ description: 'Why the platform disabled it.' })),
  failingSince: Nullable(Time),
  createdAt: Time,
  createdBy: Type.String(),
})
export type Endpoint = Static<typeof Endpoint>

/** The one time that the secret is shown. */
export const EndpointWithSecret = Type.Object({
  ...Endpoint.properties,
  secret: Type.String({ description: 'Verify signatures with it (Standard Webhooks). It is not shown again.' }),
})
export type EndpointWithSecret = Static<typeof EndpointWithSecret>

export const EndpointList = Page(Endpoint)
export const EndpointQuery = Strict(PageQuery)
export const EndpointPath = Strict({ endpointId: Id })

export const DeliveryStatus = Type.Enum(['pending', 'delivered', 'failed'])
export type DeliveryStatus = Static<typeof DeliveryStatus>

export const Delivery = Type.Object({
  id: Id,
  endpointId: Nullable(Id),
  userId: Nullable(Type.String({ format: 'uuid', description: 'Whose mailbox it goes to.' })),
  type: Type.String(),
  status: DeliveryStatus,
  attempts: Type.Integer(),
  nextAttemptAt: Nullable(Time),
  responseStatus: Nullable(Type.Integer()),
  error: Nullable(Type.String()),
  createdAt: Time,
  finishedAt: Nullable(Time),
})
export type Delivery = Static<typeof Delivery>
export const DeliveryList = Page(Delivery)
export const DeliveryQuery = Strict({
  ...PageQuery,
  endpointId: Type.Optional(Id),
  status: Type.Optional(DeliveryStatus),
})

export const NotificationPreferences = Strict({
  mail: Type.Boolean({ description: 'Whether you get mail for what you may decide and for runs that you started.' }),
})
export type NotificationPreferences = Static<typeof NotificationPreferences>
