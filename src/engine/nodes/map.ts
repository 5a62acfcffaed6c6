import type { Activation, Failure, PendingCall } from '../machine.ts'
import type { Node } from '../schema.ts'
import type { ItemsState } from '../state.ts'
import {
  asking,
  type Behaviour,
  type ChildStart,
  completed,
  failed,
  type Progress,
  type Scene,
  sourceOf,
} from './node.ts'

type MapNode = Node & { type: 'map' }
type MapScene = Scene<MapNode>

const defaults = { concurrency: 4, maxItems: 100 }

/** Has another node work on every item of a list, some at a time, and collects what comes of them. */
export const mapNode: Behaviour<MapNode> = {
  begin(scene, activation) {
    const { node } = scene
    const { over, maxItems = defaults.maxItems, concurrency = defaults.concurrency } = node
    const list = listOf(scene, activation)
    if (!list) return failed('input_invalid', `"${over}" is not a list`)
    if (list.length > maxItems)
      return failed('too_many_items', `"${over}" has ${list.length} items, more than ${maxItems}`)
    if (list.length === 0) return finish(scene, { total: 0, begun: 0, failed: 0, failure: null })
    const items: ItemsState = { total: list.length, begun: 0, failed: 0, failure: null }
    return beginItems(scene, { ...activation, items }, Math.min(concurrency, list.length))
  },

  effect() {
    throw new Error('a map calls nothing itself')
  },

  answer(scene, activation, pending, answer) {
    if (answer.kind !== 'child_result') throw new Error(`an item was answered with a ${answer.kind}`)
    const { result } = answer
    const items = itemsOf(activation)
    const item = pending.item ?? 0
    if (!result.ok && (scene.node.onItemFailure ?? 'fail') === 'fail') return failedItem(item, result.error)
    if (!result.ok) scene.emit('map_item_failed', { item, error: result.error })
    const now = result.ok ? items : withFailure(items, item, result.error)
    const kept = { [item]: result.ok ? result.output : null }
    if (now.begun < now.total) return { ...beginItems(scene, { ...activation, items: now }, 1), keep: kept }
    if (activation.pending.length > 0) return { activation: { ...activation, items: now }, keep: kept }
    return finish(scene, now, kept)
  },
}

function beginItems(scene: MapScene, activation: Activation, count: number) {
  const { itemKey, each } = scene.node
  const list = listOf(scene, activation) ?? []
  let asked = activation
  const children: ChildStart[] = []
  for (let more = 0; more < count; more++) {
    const items = itemsOf(asked)
    const item = items.begun
    asked = asking({ ...asked, items: { ...items, begun: item + 1 } }, { kind: 'child', item })
    const { call } = asked.pending.at(-1) as PendingCall
    children.push({ call, nodeId: each, inputs: { [itemKey]: list[item] ?? null } })
  }
  return { activation: asked, children }
}

function finish({ node, recall }: MapScene, items: ItemsState, last: Readonly<Record<number, unknown>> = {}): Progress {
  const { total, failure } = items
  if (failure && items.failed === total) {
    const { code, message } = failure.error
    return failed(code, `every item failed, the first: ${message}`)
  }
  const results = Array.from({ length: total }, (_, item) => (item in last ? last[item] : (recall(item) ?? null)))
  return completed(Object.fromEntries((node.outputKeys ?? []).map((key) => [key, results])))
}

function withFailure(items: ItemsState, item: number, error: Failure): ItemsState {
  const { failed, failure } = items
  return { ...items, failed: failed + 1, failure: failure && failure.item < item ? failure : { item, error } }
}

function failedItem(item: number, { code, message }: Failure): Progress {
  const { result } = failed(code, `item ${item}: ${message}`)
  return { result: code === 'rejected' ? { ...result, rejected: true } : result }
}

/** The same list in every transition: nothing else writes memory where the map stands. */
function listOf({ node, read }: MapScene, { inputMapping }: Activation): unknown[] | null {
  const list = read(sourceOf(inputMapping, node.over))
  return Array.isArray(list) ? list : null
}

function itemsOf({ items, nodeId }: Activation): ItemsState {
  if (!items) throw new Error(`"${nodeId}" has no items`)
  return items
}
