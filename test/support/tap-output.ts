export interface TapFailure {
  /** The names of the tests around it and its own, outermost first. */
  readonly name: string
  /** tap's own explanation: what differs, and where. */
  readonly details: string
}

export interface TapResult {
  readonly passed: number
  readonly failures: readonly TapFailure[]
}

interface Level {
  readonly name: string
  failed: boolean
}

/** Reads what a test file wrote. A skipped test counts as a failure: here nothing is skipped. */
export function readTap(text: string): TapResult {
  const failures: { name: string; details: string }[] = []
  const levels: Level[] = []
  let passed = 0
  let quoting = false // the lines around a failure are in the file
  let explained: { name: string; details: string } | undefined
  for (const line of text.split('\n')) {
    const [, indent = '', rest = ''] = /^((?: {4})*)(.*)$/.exec(line) ?? []
    const depth = indent.length / 4
    const opened = /^# Subtest: (.*)$/.exec(rest)?.[1]
    const [, not, label] = /^(not )?ok \d+(?: - )?(.*?)(?: # time=\S+)?$/.exec(rest) ?? []
    if (opened !== undefined) {
      levels.length = depth
      levels[depth] = { name: opened, failed: false }
    } else if (label === undefined) {
      const key = /^ {2}([a-z]+:|\.\.\.)/i.exec(rest)?.[1]
      if (key) quoting = key === 'source:'
      if (explained && !quoting) explained.details += `${line}\n`
      if (key === '...') explained = undefined
    } else {
      const closed = levels[depth]
      levels.length = depth
      explained = undefined
      const bad = not !== undefined || / # (SKIP|TODO)\b/i.test(label)
      if (!bad) {
        if (!closed) passed += 1
        continue
      }
      for (const level of levels) level.failed = true
      if (closed?.failed) continue // its own failures have been told
      explained = { name: [...levels.map((level) => level.name), label].join(' > '), details: '' }
      failures.push(explained)
    }
  }
  return { passed, failures }
}
