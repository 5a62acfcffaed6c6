import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { SMTPServer } from 'smtp-server'
import t from 'tap'
import { getPreferences, putPreferences } from '../../src/features/notifications/service.ts'
import { createMailer } from '../../src/providers/mail.ts'
import { court, type Person } from '../support/court.ts'
import { addMember, seedTenant } from '../support/database.ts'
import { outboxOf } from '../support/outbox.ts'
import { until } from '../support/until.ts'
import { workplace } from '../support/work.ts'

// Mail, through a real mail server: to those who asked for it and are concerned, and nothing of what is decided in it.
interface Letter {
  readonly to: string
  readonly text: string
}
const letters: Letter[] = []
const refused = new Set<string>()
const server = new SMTPServer({
  authOptional: true,
  disabledCommands: ['STARTTLS'],
  onRcptTo: ({ address }, _session, done) =>
    done(refused.has(address) ? Object.assign(new Error('no such mailbox here'), { responseCode: 550 }) : null),
  onData: (stream, { envelope }, done) => {
    text(stream).then((body) => {
      for (const { address } of envelope.rcptTo) letters.push({ to: address, text: body })
      done()
    }, done)
  },
})
const listening = server.listen(0, '127.0.0.1')
await once(listening, 'listening')
t.teardown(() => new Promise<void>((resolve) => server.close(resolve)))
const { port } = listening.address() as { port: number }
const sendMail = createMailer({ url: `smtp://127.0.0.1:${port}`, from: 'EngineX <enginex@platform.test>' })

const place = await workplace(t)
const { admin, doors } = place
const acme = await seedTenant(doors, 'acme')
const { person, ask, answer } = court(place, acme)
await place.work(t)
const outbox = await outboxOf(t, place, [acme])
const [olga, ben, quiet] = [await person('olga'), await person('ben'), await person('quiet')]
const starter = await person('stan', ['builder'])

const want = (who: Person, mail: boolean) => putPreferences(who.may('approvals:read'), { mail })
const lettersOf = ({ email }: Person) => letters.filter(({ to }) => to === email)
const subjectsOf = (who: Person) => lettersOf(who).map(({ text }) => /^Subject: (.*)$/m.exec(text)?.[1])
const everythingSent = () =>
  until('everything is sent', async () => {
    const { rows } = await admin.query(`select from app.notification_deliveries where status = 'pending'`)
    return rows.length === 0
  })
const failures = async () =>
  (await admin.query(`select user_id, error from app.notification_deliveries where status = 'failed'`)).rows

t.test('mail goes to those who want it and are concerned', async (t) => {
  t.same(await getPreferences(olga.may('approvals:read')), { mail: false }, 'nobody gets mail unasked')
  for (const one of [olga, ben, starter]) await want(one, true)
  outbox.work(t, { sendMail })
  const asked = await ask(starter, { people: [olga.email, quiet.email] })
  await until('the question has come', () => lettersOf(olga).length === 1)
  await answer(olga, asked, 'approve')
  await place.arrives(asked.runId, 'completed')
  await until('the end has come', () => lettersOf(starter).length === 2)
  await everythingSent()
  t.same(subjectsOf(olga), ['Your decision is needed: Is this right?'])
  t.same(subjectsOf(starter).sort(), ['A run has ended: tiny-2', 'It was decided: Is this right?'])
  t.same(subjectsOf(ben), [], 'whoever may not answer is not asked')
  t.same(subjectsOf(quiet), [])
  const [letter] = lettersOf(olga)
  t.match(letter?.text, `https://enginex.test/o/acme/approvals/${asked.approvalId}`)
  t.match(letter?.text, 'Agent: tiny-2')
  t.notMatch(letter?.text, /\b42\b|\b21\b/, 'nothing of what is shown and decided')
  t.match(letter?.text, /^Message-ID: <[0-9a-f-]{36}@enginex>/m)
})

t.test('whoever started the run is not asked to decide it, when the policy says so', async (t) => {
  letters.length = 0
  outbox.work(t, { sendMail })
  await ask(olga, { roles: ['operator'], notRequester: true })
  await until('the question has come', () => lettersOf(ben).length === 1)
  await everythingSent()
  t.same(subjectsOf(olga), [])
})

t.test('a title is one line', async (t) => {
  letters.length = 0
  await sendMail({ id: 'x', to: ben.email, subject: 'one\r\nBcc: eve@evil.test\r\n\r\ntwo', text: 'three' })
  await t.rejects(sendMail({ id: 'y', to: 'ben@acme.test, eve@evil.test', subject: 'two', text: 'at once' }))
  t.same(
    letters.map(({ to }) => to),
    [ben.email],
  )
  t.match(letters[0]?.text, 'Subject: one Bcc: eve@evil.test two')
})

t.test('what cannot be sent is seen, and why', async (t) => {
  await admin.query('delete from app.notification_deliveries')
  const [gone, changed] = [await person('gone'), await person('changed')]
  for (const one of [gone, changed]) await want(one, true)
  await ask(starter, { people: [gone.email, changed.email] })
  await addMember(doors, acme.tenantId, gone.userId, [], gone.email)
  await want(changed, false)
  const before = letters.length
  outbox.work(t, { sendMail })
  await everythingSent()
  t.equal(letters.length, before)
  t.match(await failures(), Array(2).fill({ error: /has left, has no address, or wants no mail/ }))

  await admin.query('delete from app.notification_deliveries')
  refused.add(ben.email)
  await ask(starter, { people: [ben.email] })
  const tried = await until('it was tried', async () => {
    const { rows } = await admin.query('select status, error, taken from app.notification_deliveries')
    return rows.find(({ error, taken }) => error && !taken)
  })
  t.match(tried, { status: 'pending', error: /550/ }, 'it is tried again')
  t.notMatch(tried.error, 'no such mailbox here', "a stranger's words stay where they are")
  await admin.query('delete from app.notification_deliveries')
})

t.test('a deployment without a mail server says so', async (t) => {
  outbox.work(t)
  await ask(starter, { people: [ben.email] })
  await everythingSent()
  t.match(await failures(), [{ user_id: ben.userId, error: 'this deployment sends no mail' }])
})
