import type { TextDelta } from '../db/notifications.ts'
import type { EffectContext, ModelEffect } from './effects/effect.ts'

/** Sends the text of models on its way to whoever watches, while it is being made. What is lost is lost. */
export interface Deltas {
  /** Begins the text of one attempt of a call; what comes back takes its pieces. */
  open(
    context: Pick<EffectContext, 'tenant' | 'sessionId' | 'runId'>,
    effect: Pick<ModelEffect, 'nodeId' | 'call'>,
  ): (text: string) => void
  /** Sends what is left. */
  close(): Promise<void>
}

export interface DeltasOptions {
  /** Sends one batch; resolves when the next one may follow. */
  readonly send: (batch: readonly TextDelta[]) => Promise<unknown>
  /** How long text is gathered before it is sent, in milliseconds. */
  readonly everyMs?: number
  /** Of a batch as JSON: what NOTIFY takes, and a margin. */
  readonly maxBytes?: number
}

type Source = Omit<TextDelta, 'text' | 'sequence'> & { next: number }

/** More than this between two batches nobody can follow anyway. */
const maxWaiting = 256 * 1024
/** As JSON, a character takes up to six bytes. */
const maxPiece = 1000

/** One batch at a time for all runs of this process, so that pieces arrive in their order. */
export function createDeltas({ send, everyMs = 50, maxBytes = 7000 }: DeltasOptions): Deltas {
  const waiting = new Map<Source, string>()
  let characters = 0
  let flushing: Promise<void> | undefined

  const drain = async () => {
    const deltas = [...waiting].flatMap(([source, text]) => piecesOf(source, text))
    waiting.clear()
    characters = 0
    for (const batch of batchesOf(deltas, maxBytes)) await send(batch).catch(() => undefined)
  }
  const flush = async () => {
    await new Promise((resolve) => setTimeout(resolve, everyMs))
    await drain()
    flushing = waiting.size > 0 ? flush() : undefined
  }
  return {
    open({ tenant, sessionId, runId }, { nodeId, call }) {
      const source: Source = { tenantId: tenant.tenantId, sessionId, runId, nodeId, call, next: 0 }
      return (text) => {
        if (characters + text.length > maxWaiting) {
          source.next += 1 // a number that is missing tells of it
          return
        }
        characters += text.length
        waiting.set(source, (waiting.get(source) ?? '') + text)
        flushing ??= flush()
      }
    },
    async close() {
      while (flushing) await flushing
      await drain()
    },
  }
}

function piecesOf(source: Source, text: string): TextDelta[] {
  const { next: _, ...about } = source
  const pieces: TextDelta[] = []
  for (let at = 0; at < text.length; ) {
    let end = Math.min(at + maxPiece, text.length)
    if (end < text.length && /[\uD800-\uDBFF]/.test(text[end - 1]!)) end -= 1 // no half pair at its end
    pieces.push({ ...about, sequence: source.next, text: text.slice(at, end) })
    source.next += 1
    at = end
  }
  return pieces
}

function* batchesOf(deltas: readonly TextDelta[], maxBytes: number): Generator<TextDelta[]> {
  let batch: TextDelta[] = []
  let bytes = 2
  for (const delta of deltas) {
    const size = Buffer.byteLength(JSON.stringify(delta)) + 1
    if (batch.length > 0 && bytes + size > maxBytes) {
      yield batch
      batch = []
      bytes = 2
    }
    batch.push(delta)
    bytes += size
  }
  if (batch.length > 0) yield batch
}
