import t from 'tap'
import { type Condition, canBeNamed, createConditions } from '../../src/engine/conditions.ts'

const memory: Record<string, unknown> = {
  count: 3,
  score: 1,
  ratio: 0.5,
  text: 'hello',
  empty: '',
  flag: true,
  rows: [{ amount: 1 }, { amount: -2 }],
  many: Array.from({ length: 5000 }, (_, index) => ({ amount: index })),
  long: 'x'.repeat(50_000),
  review: { decision: 'reject', rejections: 2, nothing: null },
  bundle: { total: 7, lines: Array.from({ length: 5000 }, () => 1) },
  odd: JSON.parse('{"constructor": 1, "__proto__": 2}'),
}
const compile = createConditions([...Object.keys(memory), 'unset'])

const visits = { review: 2, 'a-b': 1 }
const ok = { ok: true, error: null }

function ask(expression: string, result = ok as Parameters<Condition>[2]): boolean | string {
  try {
    return compile(expression)((key) => memory[key], visits, result)
  } catch (error) {
    return (error as Error).message
  }
}

t.test('numbers of JSON behave as an author expects', async (t) => {
  const truths = [
    ...['visits.review <= 2', 'visits.review == 2', 'visits["a-b"] == 1', '!(visits.review < 2)'],
    ...['count + 1 == 4', 'count - 1 >= 2', 'count * 2 == 6', 'count / 2 == 1.5', 'count % 2 == 1', '-count < 0'],
    ...['count + 0.5 == 3.5', 'score > 0.5', 'score * 0.5 == ratio', '1 + ratio < 2', 'count in [1, 2, 3]'],
    ...['rows[count - 2].amount == -2', 'size(rows) == 2', 'size(rows) * 1.5 == 3.0', 'double(count) / 2.0 == 1.5'],
  ]
  for (const expression of truths) t.equal(ask(expression), true, expression)
})

t.test('memory, visits and the result', async (t) => {
  const truths = [
    ...[
      'flag',
      'flag && !false',
      'text == "hello"',
      'text.startsWith("he")',
      '"ell" in ["ell"]',
      'text.contains("ll")',
    ],
    ...['size(text) == 5', 'empty == ""', 'unset == null', '!has(review.reason)', 'has(review.decision)'],
    ...['review.decision == "reject" && review.rejections < 3', 'review.nothing == null', 'result.ok'],
    ...['rows.exists(r, r.amount < 0)', '!rows.all(r, r.amount > 0)', 'rows.filter(r, r.amount > 0).size() == 1'],
    ...['rows.exists(r, r.amount < count && r.amount in [-2, 7])'],
    ...['count > 2 ? flag : false', 'int("3") == count', 'string(count) == "3"', 'unset == null || unset > 3'],
  ]
  for (const expression of truths) t.equal(ask(expression), true, expression)
  const failed = { ok: false, error: { code: 'tool_timeout', message: 'late' } }
  t.equal(ask('!result.ok && result.error.code == "tool_timeout"', failed), true)
  t.equal(ask('!result.ok && result.error.code == "tool_timeout"'), false)
})

t.test('what has no answer says why', async (t) => {
  t.match(ask('nope > 1'), 'Unknown variable: nope')
  t.match(ask('count =='), 'Unexpected token')
  t.match(ask('text > 1'), 'no such overload')
  t.match(ask('unset > 1'), 'no such overload: dyn<null> > int')
  t.match(ask('text'), 'it is a string, not true or false')
  t.match(ask('unset'), 'it is null, not true or false')
  t.match(ask('rows'), 'it is a list')
  t.match(ask('count + 1'), 'not true or false')
  t.match(ask('review.reason == "x"'), 'No such key: reason')
  t.match(ask('rows[7].amount == 1'), 'index out of bounds')
})

t.test('a large value has a size, and nothing else', async (t) => {
  t.equal(ask('size(many) == 5000 && many.size() > 3 && many != null'), true)
  t.equal(ask('size(long) == 50000'), true)
  t.equal(ask('bundle.total == 7 && size(bundle.lines) == 5000'), true, 'small fields of a large object can be seen')
  for (const expression of ['many.all(r, true)', 'many.exists(r, r.amount == 1)', '1 in many', 'many + many == many']) {
    t.match(ask(expression), 'too large for a condition', expression)
  }
  t.match(ask('many[0].amount == 0'), 'No such key')
})

t.test('nothing leads out of the language', async (t) => {
  const tries = ['text.constructor == null', 'review.__proto__ == null', 'rows.length == 2', 'visits.toString == null']
  for (const expression of tries) t.match(ask(expression), /No such key|Reserved/, expression)
  t.match(ask('__proto__ == null'), 'Reserved identifier')
  t.match(ask('constructor == null'), 'Unknown variable')
  t.type(ask('odd == null'), 'string', 'an object that pretends has no answer')
  for (const name of ['visits', 'result', 'int', 'list', 'if', 'true', 'in', 'google', '9'])
    t.notOk(canBeNamed(name), name)
  for (const name of ['count', 'size', 'has', 'constructor', 'x']) t.ok(canBeNamed(name), name)
})

t.test('the most expensive expressions end soon, or are not begun', async (t) => {
  const range = (items: number, sign: number) => Array.from({ length: items }, (_, index) => sign * (index + 1))
  const language = createConditions(['a', 'b', 's'])
  const fill = (part: string, around: (body: string) => string, by: string) => {
    const most = Math.floor((490 - around('').length) / (part.length + by.length))
    return around(Array.from({ length: Math.min(most, 20) }, () => part).join(by))
  }
  const tries = [
    fill('r in b', (body) => `a.exists(r,${body})`, '||'),
    fill('a==b', (body) => `a.exists(r,${body})`, '||'),
    fill('s', (body) => `a.exists(r,${body}==s)`, '+'),
    fill('s.contains("xy")', (body) => `a.exists(r,${body})`, '||'),
    fill('(a+b)', (body) => `a.exists(r,size(${body})<0)`, '+'),
    fill('(a+b)', (body) => `size(${body})<0`, '+'),
    fill('.filter(r,r in b)', (body) => `a${body}==b`, ''),
  ]
  for (const expression of tries) {
    for (const items of [499, 60, 20]) {
      const values: Record<string, unknown> = { a: range(items, 1), b: range(items, -1), s: 'x'.repeat(items * 40) }
      const started = process.hrtime.bigint()
      let answer: unknown
      try {
        answer = language(expression)((key) => values[key], {}, ok)
      } catch (error) {
        answer = (error as Error).message
      }
      const ms = Number(process.hrtime.bigint() - started) / 1e6
      t.ok(ms < 1000, `${Math.round(ms)} ms, ${items} items: ${expression.slice(0, 40)}… ${answer}`)
    }
  }
})
