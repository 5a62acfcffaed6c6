import { randomBytes } from 'node:crypto'
import t from 'tap'
import { createMask, createStreamMask, maskAll } from '../../src/providers/mask.ts'

t.test('a secret is hidden in every form, wherever it stands in a base64 text', async (t) => {
  for (let round = 0; round < 200; round++) {
    const secret = randomBytes(4 + (round % 60)).toString(round % 2 ? 'base64' : 'hex')
    const mask = createMask([secret])
    for (const before of ['', 'u:', 'user:', 'a', '€']) {
      const whole = Buffer.from(`${before}${secret}:after`)
      for (const encoding of ['utf8', 'base64', 'base64url', 'hex'] as const) {
        const text = whole.toString(encoding)
        const masked = mask(text)
        t.match(masked, '[secret]', `${encoding} of ${before}${secret}`)
        // All but the letters of base64 that it shares with its neighbours.
        t.ok(
          masked.length - '[secret]'.length <= text.length - Math.floor((secret.length * 4) / 3 - 3) ||
            encoding !== 'base64',
        )
      }
    }
    t.notMatch(mask(encodeURIComponent(secret)), encodeURIComponent(secret))
  }
})

t.test('a secret that is a part of another one tells nothing of it', async (t) => {
  t.equal(createMask(['abcd', 'abcdefgh'])('abcdefgh abcd'), '[secret] [secret]')
})

t.test('names and values of JSON, and no shorter words than secrets have', async (t) => {
  const mask = createMask(['topsecret', 'abc'])
  t.same(maskAll({ topsecret: ['a topsecret', 1, null, { abc: true }] }, mask), {
    '[secret]': ['a [secret]', 1, null, { abc: true }],
  })
  t.equal(createMask([])('anything'), 'anything')
})

t.test('a secret of digits that comes back as a number', async (t) => {
  const mask = createMask(['48151623'])
  t.same(maskAll({ pin: 48151623, all: [148151623, 42, 4.5] }, mask), {
    pin: '[secret]',
    all: ['1[secret]', 42, 4.5],
  })
})

t.test('a secret in a page of HTML, and in JSON that escapes its slashes', async (t) => {
  const mask = createMask([`a/b&<c>"d'e`])
  for (const quote of ["'", '&#39;', '&#x27;', '&#039;', '&apos;']) {
    t.equal(mask(`<p>a/b&amp;&lt;c&gt;&quot;d${quote}e</p>`), '<p>[secret]</p>', quote)
  }
  t.equal(mask('{"key":"a\\/b&<c>\\"d\'e"}'), '{"key":"[secret]"}')
})

t.test('long secrets are hidden whole, and a text that is cut short tells no half of them', async (t) => {
  const secret = randomBytes(2000).toString('base64')
  const mask = createMask([secret, `${secret.slice(0, 100)}another end`])
  t.equal(mask(`a ${secret} b`), 'a [secret] b')
  t.equal(mask(`a ${secret.slice(0, 500)}`), 'a [secret]')
  t.equal(mask(`${secret.slice(0, 100)}another end.`), '[secret].')
  t.equal(mask(encodeURIComponent(secret).replace(/%../g, (code) => code.toLowerCase())), '[secret]')
  t.equal(mask(Buffer.from(secret).toString('hex').toUpperCase()), '[secret]')
})

t.test('secrets and a text that are made to be compared for ever', async (t) => {
  const secrets = Array.from({ length: 16 }, (_, index) => `${'a'.repeat(4000)}${index}`)
  const text = `${'a'.repeat(31)}b`.repeat(32_768)
  t.equal(createMask(secrets)(text), text)
  t.equal(createMask(secrets)('a'.repeat(1024 * 1024)).replaceAll('[secret]', '').length < 32, true)
  t.equal(createMask([`b${'a'.repeat(4000)}`])('a'.repeat(1024 * 1024)).length, 1024 * 1024)
})

t.test('in pieces of any size a text is hidden as it is in one', async (t) => {
  const secrets = ['sk-sentinel-1234567890', randomBytes(90).toString('base64'), 'abcabcabc', 'abcabcabcdef']
  const mask = createMask(secrets)
  const piece = createStreamMask(secrets)
  const words = [
    'see ',
    'sk-sentinel-',
    ...secrets,
    ...secrets.map((one) => Buffer.from(one).toString('hex')),
    'abcab',
    '.',
  ]
  for (let round = 0; round < 500; round += 1) {
    const text = Array.from({ length: 8 }, (_, index) => words[(round * 7 + index * (round % 11)) % words.length]).join(
      '',
    )
    let held = ''
    let heard = ''
    for (let at = 0; at < text.length; at += 1 + (round % 40)) {
      const { covered, held: left } = piece(held + text.slice(at, at + 1 + (round % 40)))
      held = left
      heard += covered
    }
    t.equal(heard + mask(held), mask(text), text)
  }
})
