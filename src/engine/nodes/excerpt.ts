/** Characters: of one value, and of all together. */
const limits = { value: 4000, all: 24_000 }

/** Values as a model is shown them when it has to judge, not to work: as JSON, long ones cut. */
export function excerpt(values: Readonly<Record<string, unknown>>): string {
  let left = limits.all
  const lines: string[] = []
  for (const [key, value] of Object.entries(values)) {
    const json = JSON.stringify(value ?? null)
    const most = Math.max(Math.min(limits.value, left), 0)
    const shown = json.length > most ? `${json.slice(0, most)}… (${json.length - most} more characters)` : json
    left -= shown.length
    lines.push(`${key}: ${shown}`)
  }
  return lines.length > 0 ? `Values, each as JSON:\n${lines.join('\n')}` : ''
}
