import { AxeBuilder } from '@axe-core/playwright'
import { decodeJwt } from 'jose'
import type { Page, Route } from 'playwright-core'
import t from 'tap'
import { until } from '../support/until.ts'
import { launchBrowser, openVisitor, signIn, submitPassword, type Visitor } from './support/browser.ts'
import { sampleFile, startConsole } from './support/console.ts'
import { password, requestsOf, setUpOrganizations, startPilot } from './support/people.ts'

// The console in a real Chromium, with real sign-ins at Keycloak, the real API and a real worker.

t.setTimeout(280_000)
const { url, cut } = await startConsole(t)
await setUpOrganizations(url)
const operator = await requestsOf(url, 'operator@acme.test', 'acme')
const waiting = await startPilot(operator, 'First reconciliation')
const browser = await launchBrowser(t)
const visitors: Visitor[] = []

async function visit(): Promise<Page> {
  const visitor = await openVisitor(browser, url)
  visitors.push(visitor)
  return visitor.page
}

const olga = await visit()

t.test('a deep link survives the sign-in, an approval is answered, and its report is read', async (t) => {
  await signIn(olga, `/o/acme/approvals/${waiting.approvalId}`, 'operator@acme.test', password)
  await olga.getByRole('heading', { name: 'Decide the transactions that no rule can fix' }).waitFor()
  t.equal(new URL(olga.url()).pathname, `/o/acme/approvals/${waiting.approvalId}`)
  t.match(await olga.getByTestId('organization').textContent(), 'Acme Corporation')
  await olga.getByRole('button', { name: 'Approve', exact: true }).click()
  await olga.getByText('Give a reason first').waitFor()
  await olga.getByLabel('Reason').fill('Checked with the broker')
  await olga.keyboard.press('Control+Enter')
  await olga.getByText('Approved as proposed').waitFor()
  await olga.getByRole('link', { name: 'Go to the session' }).click()
  await olga.getByRole('link', { name: 'Read the report' }).click()
  const corrected = olga.getByRole('region', { name: 'Rows corrected by a rule' })
  await corrected.getByRole('button', { name: 'Show 50 more' }).click()
  t.equal(await corrected.getByRole('row').count(), 151, 'all rows and the heading')
  await olga.getByRole('button', { name: 'Download' }).click()
  const download = olga.waitForEvent('download')
  await olga.getByRole('menuitem', { name: 'totals.csv' }).click()
  t.equal((await download).suggestedFilename(), 'totals.csv')
})

t.test('faults of a file are shown in their place; right files run, live, and edits are kept', async (t) => {
  await olga.goto('/o/acme/agents/hourly-tracking/start')
  const bad =
    'transaction_id,broker_id,input_amount,output_amount,fees,currency,booked_at\nT1,B1,ten,1,1,EUR,2026-01-01\n'
  await olga.getByLabel('Broker transactions').setInputFiles(csv('broker', bad))
  await olga.getByRole('button', { name: 'Start', exact: true }).click()
  await olga.getByText('This is needed').waitFor()
  await olga.getByLabel('Investor transactions').setInputFiles(csv('investor', await sampleFile('investor')))
  await olga.getByRole('button', { name: 'Start', exact: true }).click()
  const fault = olga.getByRole('row', { name: /broker 2 column input_amount/ })
  await fault.waitFor()
  await olga.getByLabel('Broker transactions').setInputFiles(csv('broker', await sampleFile('broker')))
  await olga.getByLabel('Title').fill('Second reconciliation')
  await olga.getByRole('button', { name: 'Start', exact: true }).click()
  await olga.getByRole('heading', { name: 'Second reconciliation' }).waitFor()
  await olga.getByRole('link', { name: 'Review and decide' }).click()
  const fees = olga.getByLabel('Fees, row 1', { exact: true })
  await fees.fill('much')
  t.equal(await olga.getByRole('button', { name: 'Approve with edits' }).isDisabled(), true)
  await olga.getByRole('button', { name: 'Take back the changes of row 1' }).click()
  await olga.getByLabel('Action, row 1', { exact: true }).selectOption('exclude')
  await olga.getByLabel('Reason').fill('Not ours')
  await olga.getByRole('button', { name: 'Approve with edits' }).click()
  await olga.getByText('Approved with edits').first().waitFor()
  await olga.getByRole('link', { name: 'Go to the session' }).click()
  await olga.getByRole('link', { name: 'Read the report' }).waitFor()
  await olga.getByText('Run completed').waitFor()
})

t.test('an answer that comes too late is explained', async (t) => {
  const { approvalId, payloadHash } = await startPilot(operator, 'Third reconciliation')
  await olga.goto(`/o/acme/approvals/${approvalId}`)
  await olga.getByLabel('Reason').fill('Too many faults')
  const oscar = await requestsOf(url, 'operator2@acme.test', 'acme')
  await oscar('POST', `/v1/approvals/${approvalId}/decision`, { decision: 'approve', payloadHash, reason: 'Fine' })
  await olga.getByRole('button', { name: 'Reject' }).click()
  await olga.getByText('Somebody else was faster').waitFor()
  await olga.getByRole('button', { name: 'Show it as it is now' }).click()
  await olga.getByText('“Fine”').waitFor()
  t.equal(await olga.getByRole('button', { name: 'Reject' }).count(), 0)
})

t.test('a stream that breaks comes back, and misses and doubles nothing', async (t) => {
  const { sessionId, approvalId, payloadHash } = await startPilot(operator, 'Fourth reconciliation')
  await olga.goto(`/o/acme/sessions/${sessionId}`)
  await olga.getByText('Asks a person').waitFor()
  await olga.context().setOffline(true)
  cut()
  await olga.getByText('Interrupted, coming back').waitFor()
  await operator('POST', `/v1/approvals/${approvalId}/decision`, { decision: 'approve', payloadHash, reason: 'Fine' })
  const path = `/v1/sessions/${sessionId}/events`
  const events = await until('the run ends', async () => {
    const { items } = await operator<{ items: { type: string }[] }>('GET', path)
    return items.at(-1)?.type === 'execution_completed' ? items : undefined
  })
  await olga.context().setOffline(false)
  await olga.getByText('Run completed').waitFor()
  t.equal(await olga.getByRole('log').locator('time').count(), events.length)
})

t.test('switching the organization leaves nothing of the first', async (t) => {
  const builder = await requestsOf(url, 'builder@beta.test', 'beta')
  await startPilot(builder, 'Reconciliation of Beta')
  const bea = await visit()
  await signIn(bea, '/', 'both@partner.test', password)
  await bea.getByRole('link', { name: /Acme/ }).click()
  await bea.getByRole('link', { name: 'Third reconciliation' }).or(bea.getByText('Latest reports')).first().waitFor()
  await bea.getByTestId('organization').click()
  const spoken: string[][] = []
  bea.on('request', (request) => spoken.push(organizationsIn(request.headers()['authorization'])))
  await bea.getByRole('menuitem', { name: /Beta/ }).click()
  await bea.getByRole('link', { name: 'Reconciliation of Beta' }).waitFor()
  t.notMatch(await bea.content(), /Acme|First reconciliation|\/o\/acme/)
  t.strictSame([...new Set(spoken.flat())], ['beta'], 'every request after the switch speaks for Beta alone')
  t.equal(await bea.getByRole('button', { name: 'Review and decide' }).count(), 0, 'a builder decides nothing')

  const second = await bea.context().newPage()
  await second.goto('/o/acme/sessions')
  await second.getByRole('link', { name: 'First reconciliation' }).waitFor()
  await bea.route('**/v1/sessions?*', refuseOnce())
  await bea.getByRole('link', { name: 'Sessions', exact: true }).click()
  await bea.getByRole('link', { name: 'Reconciliation of Beta' }).waitFor()
  t.strictSame([...new Set(spoken.flat())], ['beta'], 'a renewed token speaks for the same organization')
  t.notMatch(await bea.content(), /First reconciliation/, 'two tabs keep to their own organization')
  await bea.goto('/o/gamma/sessions')
  await bea.getByText('There is nothing here for you').waitFor()
})

t.test('no token is kept in the browser or in an address', async (t) => {
  const kept = await olga.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]))
  t.notMatch(kept, /eyJ/)
  t.notMatch(olga.url(), /eyJ|code=|state=/)
})

t.test('nothing serious in the way of assistive technology, in the light and in the dark', async (t) => {
  const pages = ['', '/approvals?status=all', '/sessions', '/agents', '/agents/hourly-tracking', '/reports']
  for (const path of [...pages, '/agents/hourly-tracking/start', `/approvals/${waiting.approvalId}`]) {
    await olga.goto(`/o/acme${path}`)
    await olga.getByRole('heading', { level: 1 }).waitFor()
    await olga.locator('[aria-busy="true"]').first().waitFor({ state: 'detached' })
    for (const scheme of ['light', 'dark']) {
      await olga.evaluate((to) => document.documentElement.setAttribute('data-mantine-color-scheme', to), scheme)
      await olga.evaluate(() => Promise.all(document.getAnimations().map(({ finished }) => finished)))
      const { violations } = await new AxeBuilder({ page: olga }).analyze()
      const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
      const told = serious.map(
        ({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join(' ')}`,
      )
      t.strictSame(told, [], `${path || '/'} in the ${scheme}`)
    }
  }
})

t.test('a suspended organization is said so, and works again when it is reactivated', async (t) => {
  const platform = await requestsOf(url, 'platform@enginex.test')
  const { items } = await platform<{ items: { id: string; alias: string }[] }>('GET', '/v1/platform/organizations')
  const { id } = items.find(({ alias }) => alias === 'acme')!
  await olga.goto('/o/acme/sessions')
  await olga.getByRole('link', { name: 'First reconciliation' }).waitFor()
  const pia = await visit()
  await signIn(pia, '/', 'platform@enginex.test', password)
  await pia.getByRole('button', { name: 'Suspend Acme Corporation' }).click()
  await pia.getByRole('button', { name: 'Suspend acme', exact: true }).click()
  await pia.getByText('Suspended', { exact: true }).waitFor()
  await olga.getByText('This organization is suspended').waitFor()
  t.notMatch(await olga.content(), /First reconciliation/, 'what is on the page goes without a click')
  await platform('POST', `/v1/platform/organizations/${id}/reactivate`)
  await olga.getByRole('button', { name: 'Try again' }).click()
  await olga.getByRole('link', { name: 'First reconciliation' }).waitFor()
})

t.test('signing out everywhere ends every page, and one signs in again where one was', async (t) => {
  await olga.goto('/o/acme/sessions')
  await olga.getByRole('link', { name: 'First reconciliation' }).waitFor()
  await operator('POST', '/v1/me/sign-out')
  await olga.getByRole('link', { name: 'Reports', exact: true }).click()
  await olga.getByRole('heading', { name: 'Your sign-in has ended' }).waitFor()
  t.notMatch(await olga.content(), /First reconciliation|Acme/)
  await olga.getByRole('button', { name: 'Sign in again' }).click()
  await submitPassword(olga, 'operator@acme.test', password)
  await olga.getByRole('heading', { name: 'Reports' }).waitFor()
  t.equal(new URL(olga.url()).pathname, '/o/acme/reports')
})

t.test('the browser found nothing to complain about', async (t) => {
  t.strictSame(
    visitors.flatMap(({ complaints }) => complaints),
    [],
    'the content policy was never broken, and nothing was thrown',
  )
})

function csv(name: string, content: string | Buffer) {
  return { name: `${name}.csv`, mimeType: 'text/csv', buffer: Buffer.from(content) }
}

/** Answers the first request as the API does when a token is too old. */
function refuseOnce() {
  let refused = false
  return async (route: Route) => {
    if (refused) return await route.continue()
    refused = true
    const body = { code: 'token_stale', detail: 'renew the token', status: 401, requestId: 'r' }
    await route.fulfill({ status: 401, contentType: 'application/problem+json', body: JSON.stringify(body) })
  }
}

/** Aliases of the organizations that a request speaks for. */
function organizationsIn(authorization = ''): string[] {
  const token = authorization.replace(/^Bearer /, '')
  return token ? Object.keys((decodeJwt(token)['organization'] ?? {}) as object) : []
}
