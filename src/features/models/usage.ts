import { sql } from 'kysely'
import type { TenantQueries } from '../../db/queries.ts'
import type { RunUsage } from './schema.ts'

/** What one model was asked for on behalf of a run, retries and all. */
export interface ModelCall {
  readonly call: string
  /** 0 is the model that was meant, 1 its first fallback. */
  readonly position: number
  readonly step: number
  readonly attempt: number
  readonly nodeId: string
  readonly kind: string
  /** Null for the deployment's own model. */
  readonly purpose: string | null
  readonly provider: string
  readonly model: string
  readonly requests: number
  readonly inputTokens: number
  readonly outputTokens: number
  readonly inputPrice: string | null
  readonly outputPrice: string | null
  readonly durationMs: number
  readonly finish: string | null
  readonly errorCode: string | null
}

/** Writes calls in the transaction that records their answer: repeated after a takeover, they count once. */
export async function recordModelCalls(tx: TenantQueries, runId: string, calls: readonly ModelCall[]): Promise<void> {
  if (calls.length === 0) return
  const rows = calls.map((call) => ({
    run_id: runId,
    call: call.call,
    position: call.position,
    step: call.step,
    attempt: call.attempt,
    node_id: call.nodeId,
    kind: call.kind,
    purpose: call.purpose,
    provider: call.provider,
    model: call.model,
    requests: call.requests,
    input_tokens: call.inputTokens,
    output_tokens: call.outputTokens,
    cost: costOf(call),
    duration_ms: Math.round(call.durationMs),
    finish: call.finish,
    error_code: call.errorCode,
  }))
  await tx.insertInto('model_calls').values(rows).execute()
}

/** Reckoned by the database, which does not round. */
function costOf({ inputTokens, outputTokens, inputPrice, outputPrice }: ModelCall) {
  if (inputPrice === null && outputPrice === null) return null
  return sql<string>`(${inputTokens}::numeric * ${inputPrice ?? '0'}::numeric
                      + ${outputTokens}::numeric * ${outputPrice ?? '0'}::numeric) / 1000000`
}

interface Sums {
  step: number | null
  attempt: number | null
  node_id: string | null
  models: string[]
  calls: number
  requests: number
  input_tokens: number
  output_tokens: number
  cost: string | null
  unpriced: number
  duration_ms: number
}

/** What a run's models took, by step and attempt, and in all. Nothing for a run that does not exist. */
export async function usageOf(queries: TenantQueries, runId: string): Promise<RunUsage> {
  const { rows } = await sql<Sums>`
    select step, attempt, node_id, array_agg(distinct model order by model) as models, count(*)::int as calls,
           coalesce(sum(requests), 0)::int as requests, coalesce(sum(input_tokens), 0)::float8 as input_tokens,
           coalesce(sum(output_tokens), 0)::float8 as output_tokens, trim_scale(sum(cost))::text as cost,
           count(*) filter (where cost is null)::int as unpriced, coalesce(sum(duration_ms), 0)::float8 as duration_ms
      from model_calls where run_id = ${runId}
     group by grouping sets ((step, attempt, node_id), ())
     order by step nulls first, attempt limit 1001`.execute(queries)
  const total = rows.find(({ step }) => step === null)!
  const items = rows.flatMap((row) => {
    const { step, attempt, node_id: nodeId, models } = row
    return step === null ? [] : [{ step, attempt: attempt!, nodeId: nodeId!, models, ...sumsOf(row) }]
  })
  return { items, total: sumsOf(total) }
}

function sumsOf(row: Sums) {
  return {
    calls: row.calls,
    requests: row.requests,
    inputTokens: row.input_tokens,
    outputTokens: row.output_tokens,
    cost: row.cost,
    unpricedCalls: row.unpriced,
    durationMs: row.duration_ms,
  }
}
