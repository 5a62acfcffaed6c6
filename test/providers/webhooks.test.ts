import { Webhook } from 'standardwebhooks'
import t from 'tap'
import { createWebhookSecret, replayWindowMs, signWebhook, verifyWebhook } from '../../src/providers/webhooks.ts'

// Held against the reference library of the specification: what it signs we take, what we sign it takes.
const now = new Date()
const secret = createWebhookSecret()
const body = Buffer.from('{"amount":"12.50","note":"Zürich ✓"}')
const signed = signWebhook([secret], 'msg_1', body, now)

t.test('the example of the specification', async (t) => {
  const known = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
  const text = '{"test": 2432232314}'
  const headers = signWebhook([known], 'msg_p5jXN8AQM9LWM0D4loKWxJek', text, new Date(1614265330 * 1000))
  t.same(headers, {
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  })
})

t.test('the reference library and this one take what the other signed', async (t) => {
  t.match(new Webhook(secret).verify(body.toString(), signed), { amount: '12.50' })
  const theirs = new Webhook(secret).sign('msg_2', now, body.toString())
  const headers = {
    'webhook-id': 'msg_2',
    'webhook-timestamp': signed['webhook-timestamp'],
    'webhook-signature': theirs,
  }
  t.equal(verifyWebhook([secret], headers, body, now), 'msg_2')
})

t.test('a message is taken as it was signed, and in no other form', async (t) => {
  const other = createWebhookSecret()
  const take = (change: Record<string, string | string[] | undefined>, bytes: Buffer = body, secrets = [secret]) =>
    verifyWebhook(secrets, { ...signed, ...change }, bytes, now)
  t.equal(take({}), 'msg_1')
  t.equal(take({}, body, [other]), null, 'another secret')
  t.equal(take({}, body, []), null, 'no secret')
  t.equal(take({}, Buffer.from(body.toString().replace('12', '13'))), null, 'another body')
  t.equal(take({}, Buffer.concat([body, Buffer.from(' ')])), null, 'a longer body')
  t.equal(take({}, Buffer.from(body.toString(), 'latin1')), null, 'other bytes of the same text')
  t.equal(take({ 'webhook-id': 'msg_2' }), null, 'another id')
  t.equal(take({ 'webhook-timestamp': String(Number(signed['webhook-timestamp']) + 1) }), null, 'another time')
  t.equal(take({ 'webhook-timestamp': ` ${signed['webhook-timestamp']}` }), null, 'a time in another form')
  for (const name of ['webhook-id', 'webhook-timestamp', 'webhook-signature'] as const) {
    t.equal(take({ [name]: undefined }), null, `no ${name}`)
    t.equal(take({ [name]: '' }), null, `an empty ${name}`)
    t.equal(take({ [name]: [signed[name], signed[name]] }), null, `two of ${name}`)
  }
  const value = signed['webhook-signature']
  t.equal(take({ 'webhook-signature': value.replace('v1,', 'v1a,') }), null, 'a signature of another kind')
  t.equal(take({ 'webhook-signature': value.slice(0, -5) }), null, 'a part of the signature')
  t.equal(take({ 'webhook-signature': value.replace('v1,', 'v1') }), null, 'no signature')
  t.equal(take({ 'webhook-signature': `${'v1,AAAA '.repeat(8)}${value}` }), null, 'nine signatures')
})

t.test('a message that is old, or from the future, is a replay', async (t) => {
  const sent = new Date(Math.floor(now.getTime() / 1000) * 1000)
  const headers = signWebhook([secret], 'msg_1', body, sent)
  const at = (ms: number) => verifyWebhook([secret], headers, body, new Date(sent.getTime() + ms))
  t.equal(at(replayWindowMs), 'msg_1')
  t.equal(at(-replayWindowMs), 'msg_1')
  t.equal(at(replayWindowMs + 1), null)
  t.equal(at(-replayWindowMs - 1), null)
  const forever = signWebhook([secret], 'msg_1', body, now)
  t.equal(verifyWebhook([secret], { ...forever, 'webhook-timestamp': '9'.repeat(12) }, body, now), null)
})

t.test('while a secret is replaced, both sides work with either', async (t) => {
  const next = createWebhookSecret()
  const both = signWebhook([secret, next], 'msg_1', body, now)
  t.equal(both['webhook-signature'].split(' ').length, 2)
  for (const known of [[secret], [next], [next, secret]]) t.equal(verifyWebhook(known, both, body, now), 'msg_1')
  t.equal(verifyWebhook([next, secret], signed, body, now), 'msg_1', 'the receiver knows both, the sender only one')
  t.ok(new Webhook(next).verify(body.toString(), both))
})

t.test('what joined would read like another message has no id', async (t) => {
  for (const id of ['a.1', 'two words', 'zürich', '', 'x'.repeat(257)]) {
    t.throws(() => signWebhook([secret], id, body, now), /id of a message/)
  }
  // "a" at 1 with the body "2.x", and "a.1" at 2 with the body "x", are the same bytes.
  const { 'webhook-signature': signature } = signWebhook([secret], 'a', '2.x', new Date(1000))
  const moved = { 'webhook-id': 'a.1', 'webhook-timestamp': '2', 'webhook-signature': signature }
  t.equal(verifyWebhook([secret], moved, Buffer.from('x'), new Date(1000)), null)
})

t.test('a secret is made well and used as it was made', async (t) => {
  t.match(secret, /^whsec_[\w+/]{43}=$/)
  t.not(createWebhookSecret(), secret)
  for (const bad of ['', 'whsec_', secret.slice(6), `whsec_${'A'.repeat(20)}`, `whsec_${'A'.repeat(100)}`]) {
    t.throws(() => signWebhook([bad], 'msg_1', body, now), /a webhook secret is/)
    t.throws(() => verifyWebhook([bad], signed, body, now), /a webhook secret is/)
  }
})
