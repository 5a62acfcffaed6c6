import { type Static, Type } from 'typebox'
import { CredentialName } from '../credentials/schema.ts'
import { Failure, Nullable, Strict, Time } from '../schema.ts'

export const Purpose = Type.String({
  pattern: '^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$',
  description: 'What a model is for, as nodes name it. "default" serves every purpose without settings of its own.',
})

const Provider = Type.Enum(['openai', 'anthropic', 'openai_compatible'])
const ModelName = Type.String({ minLength: 1, maxLength: 200 })
const Price = Type.String({
  pattern: '^[0-9]{1,9}(\\.[0-9]{1,8})?$',
  description: 'Per million tokens, in a currency of your own, as exact text such as "2.50".',
})
const Temperature = Type.Number({ minimum: 0, maximum: 2 })
const MaxTokens = Type.Integer({ minimum: 1, maximum: 1_000_000 })
const TimeoutMs = Type.Integer({ minimum: 1000, maximum: 300_000 })
const Key = Strict({ name: CredentialName, key: Type.String({ pattern: '^[A-Za-z][A-Za-z0-9_]{0,63}$' }) })

export const ModelSettings = Type.Object({
  purpose: Purpose,
  provider: Provider,
  model: ModelName,
  baseUrl: Nullable(Type.String()),
  credential: Nullable(Key),
  temperature: Nullable(Temperature),
  maxTokens: MaxTokens,
  timeoutMs: TimeoutMs,
  inputPrice: Nullable(Price),
  outputPrice: Nullable(Price),
  fallbacks: Type.Array(Purpose),
  createdAt: Time,
  createdBy: Type.String(),
  updatedAt: Time,
})
export type ModelSettings = Static<typeof ModelSettings>

export const ModelPut = Strict({
  provider: Provider,
  model: ModelName,
  baseUrl: Type.Optional(
    Nullable(
      Type.String({
        maxLength: 500,
        pattern: '^https?://[^\\s?#@]+[^\\s?#@/]$',
        description: "Without a slash at its end. The provider's own when left out.",
      }),
    ),
  ),
  credential: Type.Optional(
    Nullable(
      Type.Object(
        { ...Key.properties },
        { additionalProperties: false, description: 'Which key of which credential.' },
      ),
    ),
  ),
  temperature: Type.Optional(Nullable(Temperature)),
  maxTokens: Type.Optional(MaxTokens),
  timeoutMs: Type.Optional(TimeoutMs),
  inputPrice: Type.Optional(Nullable(Price)),
  outputPrice: Type.Optional(Nullable(Price)),
  fallbacks: Type.Optional(
    Type.Array(Purpose, {
      maxItems: 4,
      uniqueItems: true,
      description: 'Purposes whose models are asked, in this order, when this one does not answer.',
    }),
  ),
})
export type ModelPut = Static<typeof ModelPut>

export const ModelPath = Strict({ purpose: Purpose })

/** An organization has at most 50 purposes, so the list is not paged. */
export const ModelList = Type.Object({
  items: Type.Array(ModelSettings),
  deployment: Nullable(
    Type.Object({ model: Type.String() }, { description: 'What serves when there are no settings, by the operator.' }),
  ),
})

const Tokens = { inputTokens: Type.Integer(), outputTokens: Type.Integer() }

/** What came of one small question to the model. */
export const ModelTest = Type.Object({
  ok: Type.Boolean(),
  durationMs: Type.Integer(),
  text: Nullable(Type.String()),
  usage: Nullable(Type.Object(Tokens)),
  error: Nullable(Failure),
})

const Cost = Nullable(Type.String({ description: 'Exact text; null when no call had a price.' }))
const Sums = {
  calls: Type.Integer(),
  requests: Type.Integer({ description: 'With retries.' }),
  ...Tokens,
  cost: Cost,
  unpricedCalls: Type.Integer({ description: 'Calls that the cost does not hold.' }),
  durationMs: Type.Integer(),
}

export const RunUsage = Type.Object({
  items: Type.Array(
    Type.Object({
      step: Type.Integer(),
      attempt: Type.Integer(),
      nodeId: Type.String(),
      models: Type.Array(Type.String()),
      ...Sums,
    }),
  ),
  total: Type.Object(Sums),
})
export type RunUsage = Static<typeof RunUsage>
