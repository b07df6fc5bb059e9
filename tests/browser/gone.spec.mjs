// Tabs that go without a word: crashed, killed with their browser, or standing still. Everybody
// else, nodes and tabs, has them off the list in time.
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { chromium } from 'playwright-core'
import { nodeIdOf, reaches } from '../../www/test/browser/page.mjs'
import { data, scratch, TestNode } from '../node/cli.mjs'

/** What is promised, in milliseconds. */
const NOTICED_MS_MAX = 5_000
const JOIN_TIMEOUT_MS = 30_000
const browsers = new Set()
after(async () => {
  for (const browser of browsers) await browser.kill()
})

/** A browser of its own, whose process can be signalled. */
async function browser(...args) {
  const executablePath =
    process.env.SYNAPTIC_CHROMIUM ?? process.env.CHROMIUM ?? '/usr/bin/chromium'
  const server = await chromium.launchServer({ executablePath, args: ['--no-sandbox', ...args] })
  const remote = await chromium.connect(server.wsEndpoint())
  const one = {
    context: await remote.newContext(),
    // Its processes are a group of their own.
    signal: (signal) => process.kill(-server.process().pid, signal),
    kill: () => server.kill(),
  }
  browsers.add(one)
  return one
}

async function node(link) {
  const place = scratch()
  const join = link === undefined ? [] : ['--join', link]
  await data(['init', '--home', place, ...join], { cwd: place })
  return TestNode.start(place, join)
}

/** A tab that is a member. */
async function tab({ context }, link) {
  const page = await context.newPage()
  await page.goto(link)
  await reaches(page, 'joined', JOIN_TIMEOUT_MS)
  return { page, id: await nodeIdOf(page) }
}

/** When a node tells a change of a peer's state, of those after its first `from` events. */
async function changed(teller, id, state, from) {
  const fits = (one) => one.event === 'peer' && one.data.id === id && one.data.state === state
  await teller.event('peer', (data) =>
    teller.events.slice(from).some((one) => one.data === data && fits(one)),
  )
  return performance.now()
}

/** When a page shows so many peers. */
async function shows({ page }, count) {
  const place = page.locator('[data-peers]', { hasText: new RegExp(`^${count}$`) })
  await place.waitFor({ timeout: JOIN_TIMEOUT_MS })
  return performance.now()
}

test('a tab closed by force is gone from every list within 5 s', async (t) => {
  const hub = await node()
  const link = hub.ready.join
  const other = await node(link)
  const witness = await tab(await browser(), link)
  const ways = {
    'its renderer crashes': async ({ page }) => {
      const session = await page.context().newCDPSession(page)
      // It answers nothing any more.
      session.send('Page.crash').catch(() => undefined)
    },
    'its browser is killed': (_tab, own) => own.signal('SIGKILL'),
    'its browser stands still': (_tab, own) => own.signal('SIGSTOP'),
  }
  for (const [what, close] of Object.entries(ways)) {
    const own = await browser()
    const closed = await tab(own, link)
    await Promise.all([hub, other].map((one) => changed(one, closed.id, 'connected', 0)))
    await shows(witness, 3)
    const from = [hub, other].map(({ events }) => events.length)
    const begun = performance.now()
    await close(closed, own)
    const gone = await Promise.all([
      changed(hub, closed.id, 'disconnected', from[0]),
      changed(other, closed.id, 'disconnected', from[1]),
      shows(witness, 2),
    ])
    const ms = gone.map((at) => Math.round(at - begun))
    t.diagnostic(`${what}: off the lists of two nodes and a tab after ${ms} ms`)
    assert.ok(Math.max(...ms) <= NOTICED_MS_MAX, `${what}: gone after ${ms} ms`)
    const { peers } = await hub.api('status')
    assert.deepEqual(
      peers.map(({ id }) => id).sort(),
      [other.ready.nodeId, witness.id].sort(),
      'the control: nobody else is gone',
    )
    await own.kill()
  }
  await Promise.all([hub.kill(), other.kill()])
})

test('a tab that stood still for 20 s is back within 5 s', async (t) => {
  const hub = await node()
  const own = await browser()
  const { id } = await tab(own, hub.ready.join)
  await changed(hub, id, 'connected', 0)
  const from = hub.events.length
  own.signal('SIGSTOP')
  await changed(hub, id, 'disconnected', from)
  await new Promise((resolve) => setTimeout(resolve, 20_000))
  const woken = performance.now()
  own.signal('SIGCONT')
  const ms = Math.round((await changed(hub, id, 'connected', from)) - woken)
  t.diagnostic(`back after ${ms} ms`)
  assert.ok(ms <= NOTICED_MS_MAX, `back after ${ms} ms`)
  await hub.kill()
})
