import t from 'tap'
import {
  checkSchedule,
  jitterMs,
  mostCatchUps,
  nextDue,
  planFiring,
  type Schedule,
  upcoming,
} from '../../src/features/triggers/schedule.ts'

// When a timer is due, by tables: summer time, rare days, texts that are none, times that were missed.
const at = (text: string) => new Date(text)
const iso = (date: Date | null) => date?.toISOString().replace(':00.000Z', 'Z') ?? null
const zurich = (cron: string): Schedule => ({ cron, timeZone: 'Europe/Zurich' })

function times(schedule: Schedule, after: string, count: number): (string | null)[] {
  const first = nextDue(schedule, at(after), at(after))
  return first ? upcoming(schedule, first, count).map(iso) : []
}

const clocks: Record<string, [Schedule, string, string[]]> = {
  'a time that the clock skips comes when the gap ends': [
    zurich('30 2 * * *'),
    '2026-03-28T12:00Z',
    ['2026-03-29T01:00Z', '2026-03-30T00:30Z', '2026-03-31T00:30Z'],
  ],
  'so does one of several hours': [
    zurich('30 2,14 * * *'),
    '2026-03-28T22:00Z',
    ['2026-03-29T01:00Z', '2026-03-29T12:30Z', '2026-03-30T00:30Z'],
  ],
  'a time that comes twice comes once, the first time': [
    zurich('30 2 * * *'),
    '2026-10-24T12:00Z',
    ['2026-10-25T00:30Z', '2026-10-26T01:30Z'],
  ],
  'every hour is every hour that there is': [
    zurich('0 * * * *'),
    '2026-10-24T23:30Z',
    ['2026-10-25T00:00Z', '2026-10-25T01:00Z', '2026-10-25T02:00Z'],
  ],
  'a step within a skipped hour has no times that day': [
    zurich('*/30 2 * * *'),
    '2026-03-28T12:00Z',
    ['2026-03-30T00:00Z', '2026-03-30T00:30Z'],
  ],
  'a step within an hour that comes twice has its times twice': [
    zurich('*/30 2 * * *'),
    '2026-10-24T12:00Z',
    ['2026-10-25T00:00Z', '2026-10-25T00:30Z', '2026-10-25T01:00Z', '2026-10-25T01:30Z', '2026-10-26T01:00Z'],
  ],
  'a gap of half an hour': [
    { cron: '15 2 * * *', timeZone: 'Australia/Lord_Howe' },
    '2026-10-03T00:00Z',
    ['2026-10-03T15:30Z', '2026-10-04T15:15Z'],
  ],
  'a midnight that there is not': [
    { cron: '0 0 * * *', timeZone: 'America/Santiago' },
    '2026-09-05T12:00Z',
    ['2026-09-06T04:00Z', '2026-09-07T03:00Z'],
  ],
  'February 29': [zurich('0 12 29 2 *'), '2026-01-01T00:00Z', ['2028-02-29T11:00Z', '2032-02-29T11:00Z']],
  'February 29 over the year 2100': [
    { cron: '0 0 29 2 *', timeZone: 'UTC' },
    '2096-03-01T00:00Z',
    ['2104-02-29T00:00Z'],
  ],
  'the last day of the month': [zurich('0 12 L * *'), '2026-01-31T12:00Z', ['2026-02-28T11:00Z', '2026-03-31T10:00Z']],
  'day or weekday, as cron has it': [
    { cron: '0 0 13 * FRI', timeZone: 'UTC' },
    '2026-01-08T12:00Z',
    ['2026-01-09T00:00Z', '2026-01-13T00:00Z', '2026-01-16T00:00Z'],
  ],
  'an interval knows no summer time': [
    { everyMinutes: 720 },
    '2026-03-28T12:00Z',
    ['2026-03-29T00:00Z', '2026-03-29T12:00Z', '2026-03-30T00:00Z'],
  ],
}
for (const [what, [schedule, after, expected]] of Object.entries(clocks)) {
  t.test(what, async (t) => {
    t.same(times(schedule, after, expected.length), expected)
  })
}

t.test('the next time is later than the last one, at whatever moment one asks', async (t) => {
  for (const schedule of [zurich('*/7 * * * *'), zurich('30 2 * * *'), { everyMinutes: 1 }]) {
    let last = at('2026-03-28T23:59:59.999Z')
    for (let index = 0; index < 500; index += 1) {
      const next = nextDue(schedule, last, last)!
      t.ok(next > last, `${iso(next)} after ${iso(last)}`)
      last = next
    }
  }
  t.same(nextDue(zurich('0 * * * *'), at('2026-01-01T00:00Z'), at('2026-01-01T00:00:00.001Z')), at('2026-01-01T01:00Z'))
  t.same(nextDue({ everyMinutes: 60 }, at('2026-01-01T00:10Z'), at('2026-01-02T00:00Z')), at('2026-01-02T00:10Z'))
})

const refused: Record<string, [Schedule, RegExp]> = {
  'a cron that never comes': [zurich('0 0 30 2 *'), /never comes/],
  'a day that its months do not have': [zurich('0 0 31 4,6,9,11 *'), /never comes/],
  seconds: [zurich('* * * * * *'), /five fields/],
  'four fields': [zurich('* * * *'), /five fields/],
  nothing: [zurich(' '), /five fields/],
  'a nickname': [zurich('@hourly'), /five fields/],
  'a question mark': [zurich('? * * * *'), /\? is not known/],
  'a minute that there is not': [zurich('60 * * * *'), /Invalid value for minute/],
  'a step of nothing': [zurich('*/0 * * * *'), /illegal stepping/],
  'a range backwards': [zurich('30-10 * * * *'), /From value is larger|larger than to value/],
  'a negative number': [zurich('-1 * * * *'), /illegal/],
  words: [zurich('every day at two o_clock'), /five fields|illegal/],
  'another script': [zurich('٣ * * * *'), /illegal/],
  'a zone that there is not': [{ cron: '0 0 * * *', timeZone: 'Nowhere/Place' }, /no time zone/],
  'an offset, which knows no summer time': [{ cron: '0 0 * * *', timeZone: '+02:00' }, /no time zone/],
  'an empty zone': [{ cron: '0 0 * * *', timeZone: '' }, /no time zone/],
}
for (const [what, [schedule, reason]] of Object.entries(refused)) {
  t.test(`refused: ${what}`, async (t) => {
    t.throws(() => checkSchedule(schedule, at('2026-01-01T00:00Z')), { code: 'input_invalid', message: reason })
  })
}

t.test('whatever text comes, it is refused or has a next time, at once', async (t) => {
  const parts = [
    '*',
    '0',
    '59',
    '1-5',
    '*/7',
    'L',
    '1#2',
    'MON-FRI',
    '31',
    '2',
    '1,2,3',
    '15W',
    '*/59',
    '23',
    '7',
    'x',
    '',
  ]
  let [fits, faults] = [0, 0]
  for (let seed = 1; seed <= 3000; seed += 1) {
    const pick = (place: number) => parts[Math.floor(seed / parts.length ** place) % parts.length]!
    const cron = [pick(0), pick(1), pick(2), parts[(seed * 7) % parts.length], parts[(seed * 13) % parts.length]].join(
      ' ',
    )
    try {
      checkSchedule(zurich(cron), at('2026-01-01T00:00Z'))
      fits += 1
    } catch (error) {
      if ((error as { code?: string }).code === 'input_invalid') faults += 1
    }
  }
  t.equal(fits + faults, 3000)
  t.ok(fits > 100 && faults > 100, `${fits} fit, ${faults} do not`)
})

function plan(misfire: 'skip' | 'fire_once' | 'fire_all', due: string, now: string, jitter = 0) {
  const { fire, next } = planFiring({ everyMinutes: 60 }, misfire, at(due), jitter, at(now))
  return [fire, iso(next)]
}

t.test('a time that is not late fires, whatever the policy', async (t) => {
  for (const misfire of ['skip', 'fire_once', 'fire_all'] as const) {
    t.same(plan(misfire, '2026-01-01T08:00Z', '2026-01-01T08:00Z'), [true, '2026-01-01T09:00Z'], misfire)
    t.same(plan(misfire, '2026-01-01T08:00Z', '2026-01-01T08:01Z'), [true, '2026-01-01T09:00Z'], 'a minute late')
    t.same(plan(misfire, '2026-01-01T08:00Z', '2026-01-01T08:09Z', 480_000), [true, '2026-01-01T09:00Z'], 'its jitter')
  }
})

t.test('after a downtime of three hours', async (t) => {
  const missed = ['2026-01-01T08:00Z', '2026-01-01T11:30Z'] as const
  t.same(plan('skip', ...missed), [false, '2026-01-01T12:00Z'])
  t.same(plan('fire_once', ...missed), [true, '2026-01-01T12:00Z'])
  t.same(plan('fire_all', ...missed), [true, '2026-01-01T09:00Z'], 'and then the next one that was missed')
  t.same(plan('fire_all', '2026-01-01T11:00Z', missed[1]), [true, '2026-01-01T12:00Z'], 'up to the present')
})

t.test('after a downtime of a month, fire_all makes up for a day', async (t) => {
  for (const schedule of [{ everyMinutes: 60 }, zurich('0 * * * *')]) {
    const [due, now] = [at('2026-01-01T08:00Z'), at('2026-02-01T08:30Z')]
    const first = planFiring(schedule, 'fire_all', due, 0, now)
    t.match(first, { fire: false, next: at('2026-01-31T09:00Z') })
    let count = 0
    for (let next = first.next!; next <= now; count += 1) {
      const { fire, next: after } = planFiring(schedule, 'fire_all', next, 0, now)
      t.ok(fire)
      next = after!
    }
    t.equal(count, mostCatchUps)
  }
})

t.test('a clock that went back fires nothing again, and one that went ahead goes on from there', async (t) => {
  t.same(
    plan('fire_once', '2026-01-01T09:00Z', '2026-01-01T06:00Z'),
    [true, '2026-01-01T10:00Z'],
    'never before its due',
  )
  t.same(plan('fire_once', '2026-01-01T08:00Z', '2036-01-01T08:00Z'), [true, '2036-01-01T09:00Z'])
})

t.test('jitter is the same whoever asks, and spreads evenly', async (t) => {
  const due = at('2026-01-01T08:00Z')
  const spread = Array.from({ length: 2000 }, (_, index) => jitterMs(`trigger-${index}`, due, 600))
  t.ok(spread.every((ms) => ms >= 0 && ms < 600_000))
  t.equal(jitterMs('trigger-7', due, 600), spread[7])
  for (let tenth = 0; tenth < 10; tenth += 1) {
    const within = spread.filter((ms) => Math.floor(ms / 60_000) === tenth).length
    t.ok(within > 120 && within < 280, `${within} of 2000 in one tenth`)
  }
  t.equal(jitterMs('trigger-7', due, 0), 0)
  t.not(jitterMs('trigger-7', at('2026-01-01T09:00Z'), 600), spread[7], 'another time, another jitter')
})
