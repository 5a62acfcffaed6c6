import type { Writable } from 'node:stream'
import type { Reporter } from './stack.ts'

export interface ConsoleReporter extends Reporter {
  fail(error: Error): void
  /** The last word of a start: how long it took, where to go, and more lines. */
  ready(began: number, url: string, lines: readonly string[]): void
}

/** One line for each phase that is done, with its time; a note before what takes long. */
export function consoleReporter(out: Writable): ConsoleReporter {
  const print = (text: string) => void out.write(`${text}\n`)
  return {
    async phase(name, work) {
      const began = performance.now()
      const result = await work()
      print(`✓ ${name} ${seconds(began)}`)
      return result
    },
    note: (text) => print(`… ${text}`),
    fail: (error) => print(`✗ ${error.message}`),
    ready: (began, url, lines) => print(['', `EngineX is ready in ${seconds(began)}: ${url}`, '', ...lines].join('\n')),
  }
}

function seconds(began: number): string {
  return `${((performance.now() - began) / 1000).toFixed(1)} s`
}
