import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import t from 'tap'
import { type Terminal, terminal } from '../support/cli.ts'
import { launchBrowser, openVisitor, submitPassword } from './support/browser.ts'
import { startConsole } from './support/console.ts'
import { password, setUpOrganizations } from './support/people.ts'

// The command line with real sign-ins at Keycloak's device page, the real API and a real worker.

t.setTimeout(200_000)
const { url } = await startConsole(t)
await setUpOrganizations(url)
const browser = await launchBrowser(t)

/** Signs in on the page that the program names, and confirms the code. */
async function confirm(page: Page, address: string, email: string): Promise<void> {
  await page.goto(address)
  await submitPassword(page, email, password)
  await page.locator('input[name="accept"], #kc-login').first().click()
  await page.getByText(/device login successful|device sign in successful/i).waitFor()
}

async function login(person: Terminal, page: Page, words: readonly string[], email: string) {
  let confirmed: Promise<void> = Promise.resolve()
  const ran = await person.attended(['--json', ...words], (line) => {
    const { open } = JSON.parse(line) as { open?: string }
    if (open) confirmed = confirm(page, open, email)
  })
  await confirmed
  return ran
}

const builder = await terminal(t)
const { page } = await openVisitor(browser, url)

t.test('a builder signs in by device, and deploys', async (t) => {
  const ran = await login(builder, page, ['login', url, '--org', 'acme'], 'builder@acme.test')
  t.equal(ran.code, 0, ran.err)
  t.match(await builder.json(['whoami']), { email: 'builder@acme.test', organization: 'acme' })
  t.match(await builder.json(['org', 'list']), [{ alias: 'acme' }])
  await builder.json(['init', 'greeter'])
  t.match(await builder.json(['deploy', 'greeter']), { active: true })
})

t.test('a run is followed until it waits, is approved by somebody else, and leaves its report', async (t) => {
  const operator = await terminal(t)
  const visitor = await openVisitor(browser, url)
  t.match(await login(operator, visitor.page, ['login', url, '--org', 'acme'], 'operator@acme.test'), { code: 0 })
  const watched = await builder.enginex(['run', 'greeter', '--set', 'person=Ada', '--watch'])
  t.match(watched, { code: 0, out: /approval_requested/, err: /waits for a person/ })
  const [approval] = await operator.json(['approvals'])
  t.match(await operator.enginex(['approvals', 'show', approval.id]), {
    out: /Publish this greeting\?[\s\S]*Hello, Ada/,
  })
  t.match(await operator.enginex(['approve', approval.id, '--reason', 'kind']), { code: 0, out: /: approved/ })
  t.match(await operator.enginex(['reject', approval.id, '--reason', 'no']), { code: 1, err: /already_decided/ })
  const [session] = await operator.json(['sessions', '--limit', '1'])
  t.match(await operator.enginex(['logs', session.id, '--follow']), { code: 0, out: /execution_completed/ })
  const [report] = await operator.json(['reports', '--session', session.id])
  const { files } = await operator.json(['reports', 'get', report.id, '--output', 'out'])
  t.ok(files.length > 0)
  t.match(await readFile(join(operator.directory, 'out/report.html'), 'utf8'), /Hello, Ada/)
})

t.test('a sign-in that is given up leaves the one before', async (t) => {
  const ran = await builder.attended(['--json', 'org', 'use', 'beta'], (_, interrupt) => interrupt())
  t.equal(ran.code, 130)
  t.match(await builder.json(['whoami']), { organization: 'acme' })
})

t.test('a sign-in that was ended opens nothing', async (t) => {
  t.match(await builder.enginex(['logout']), { code: 0 })
  t.match(await builder.enginex(['agents']), { code: 3, err: /enginex login/ })
})
