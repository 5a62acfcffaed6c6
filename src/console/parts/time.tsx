import { useEffect, useReducer } from 'react'

const exact = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'long' })
const short = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' })
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto', style: 'short' })

const units: readonly [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
]

function ago(time: number, now: number): string {
  const past = time - now
  for (const [unit, ms] of units) if (Math.abs(past) >= ms) return relative.format(Math.trunc(past / ms), unit)
  return 'just now'
}

interface TimeProps {
  readonly value: string
  /** `ago` counts from now, `clock` is the time of day alone. */
  readonly as?: 'ago' | 'date' | 'clock'
}

/** A time in the person's own zone; the exact one, with its zone, on hover. */
export function Time({ value, as = 'ago' }: TimeProps) {
  const [, tick] = useReducer((ticks: number) => ticks + 1, 0)
  useEffect(() => {
    if (as !== 'ago') return
    const timer = setInterval(tick, 30_000)
    return () => clearInterval(timer)
  }, [as])
  const date = new Date(value)
  const old = Date.now() - date.getTime() > 7 * 86_400_000
  const text =
    as === 'clock' ? clock.format(date) : as === 'date' || old ? short.format(date) : ago(date.getTime(), Date.now())
  return (
    <time dateTime={value} title={exact.format(date)}>
      {text}
    </time>
  )
}
