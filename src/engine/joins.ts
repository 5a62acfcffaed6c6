import { helpersOf, type Next, reach } from './graph.ts'
import type { Graph } from './schema.ts'

/** Where branches that begin at these nodes come together again, or null. */
export type JoinOf = (starts: readonly string[]) => string | null

/**
 * The join of branches is the nearest node that all of them must come to, unless they fail or end before: their common
 * post-dominator. Ways after a failure do not count, nor do ways to an end that only some of the branches can reach.
 * Computed once for each set of branches.
 */
export function joinsOf(graph: Graph): JoinOf {
  const helpers = helpersOf(graph)
  const ids = graph.nodes.map(({ id }) => id).filter((id) => !helpers.has(id))
  const links = new Map(ids.map((id): [string, string[]] => [id, []]))
  for (const { source, target, condition } of graph.edges)
    if (condition !== 'on_failure') links.get(source)?.push(target)
  const known = new Map<string, string | null>()
  return (starts) => {
    const name = [...new Set(starts)].sort().join(' ')
    if (!known.has(name)) known.set(name, nearestJoin(starts, links))
    return known.get(name) ?? null
  }
}

function nearestJoin(starts: readonly string[], links: Next): string | null {
  const reached = starts.map((start) => reach([start], links))
  const common = [...(reached[0] ?? [])].filter((id) => reached.every((nodes) => nodes.has(id)))
  const ends = common.filter((id) => links.get(id)?.length === 0)
  const leading = reach(ends, reverse(links))
  const after = postDominators([...leading], links)
  const shared = common.filter((id) => starts.every((start) => after.get(start)?.has(id)))
  // They follow one another on every way, so that the one with the most after it comes first.
  const behind = (id: string) => after.get(id)?.size ?? 0
  return shared.sort((a, b) => behind(b) - behind(a))[0] ?? null
}

/** For each node those that every way from it to an end passes, itself included. */
function postDominators(ids: readonly string[], links: Next): Map<string, ReadonlySet<string>> {
  const all = new Set(ids)
  const after = new Map(ids.map((id): [string, ReadonlySet<string>] => [id, all]))
  for (let changed = true; changed; ) {
    changed = false
    for (const id of ids) {
      const next = (links.get(id) ?? []).filter((target) => all.has(target)).map((target) => after.get(target) ?? all)
      const now = new Set([id, ...(next[0] ?? [])].filter((one) => one === id || next.every((set) => set.has(one))))
      if (now.size !== after.get(id)?.size) {
        after.set(id, now)
        changed = true
      }
    }
  }
  return after
}

function reverse(links: Next): Next {
  const back = new Map<string, string[]>()
  for (const [id, targets] of links) for (const to of targets) back.set(to, [...(back.get(to) ?? []), id])
  return back
}
