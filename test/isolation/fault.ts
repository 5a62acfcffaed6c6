/** One defence taken away, and the test that must notice. */
export interface Fault {
  readonly name: string
  readonly edits: readonly { readonly file: string; readonly from: string; readonly to: string }[]
  /** A test file, or `tsc` for what must not compile. */
  readonly run: string
  /** What the failing run must say: the name of the test, or the reason. */
  readonly says: RegExp
}

/** A fault of one or more edits, each replacing a text that is there exactly once. */
export function fault(
  name: string,
  run: string,
  says: RegExp,
  ...edits: [file: string, from: string, to: string][]
): Fault {
  return { name, run, says, edits: edits.map(([file, from, to]) => ({ file, from, to })) }
}
