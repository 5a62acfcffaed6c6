/** What JSON may say and PostgreSQL's jsonb refuses: NUL, and surrogates without their other half. */
const unstorable = /(?<!\\)((?:\\\\)*)\\u(?:0000|d[89a-f][0-9a-f]{2})/g

/** Whether this text, made by JSON.stringify, can be stored as jsonb. */
export function isStorable(text: string): boolean {
  // JSON.stringify escapes these characters and writes whole pairs as they are, so looking for the escapes is enough.
  return text.search(unstorable) === -1
}

/** The same value with every character that cannot be stored replaced by U+FFFD. */
export function makeStorable<T>(value: T): T {
  const text = JSON.stringify(value)
  return isStorable(text) ? value : (JSON.parse(text.replace(unstorable, '$1\\ufffd')) as T)
}
