// Browser tabs and a real node, started from the packed package: join, train, reload, lose the node.
import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import {
  assertQuiet,
  figure,
  nodeIdOf,
  reaches,
  stage,
  unlabelled,
  watch,
} from '../../www/test/browser/page.mjs'
import { DIGITS, startNode } from './node.mjs'

const ROUNDS = 6
/** A node's module is compiled first. */
const JOIN_TIMEOUT_MS = 20_000
/** Chromium notes every refused connection; after the node is gone that is as it should be. */
const REFUSED = /ERR_CONNECTION_REFUSED|ERR_FAILED|Failed to fetch|WebSocket connection/

const set = stage(DIGITS, startNode, JOIN_TIMEOUT_MS)

function startRun(...more) {
  const sizes = ['--layers', '64,32,10', '--rounds', String(ROUNDS), '--epochs', '3', ...more]
  return set.mesh.command(
    'run',
    'start',
    'digits',
    '--data',
    set.files.others,
    '--test',
    set.files.test,
    ...sizes,
  )
}

async function contribute(page) {
  await page.setInputFiles('[data-input="rows"]', set.files.rows)
  await page.setInputFiles('[data-input="test"]', set.files.test)
  await page.locator('[data-action="join-run"]:enabled').click()
}

test('a tab that opens the join link is a member, and the node says so', async () => {
  const { page, complaints } = await set.joinedTab()
  assert.equal(await page.locator('[data-peers]').textContent(), '1')
  const id = await nodeIdOf(page)
  assert.match(id, /^[a-z2-7]{52}$/)
  const { peers } = await set.mesh.command('status')
  assert.deepEqual(
    peers.map((peer) => peer.id),
    [id],
  )
  assertQuiet(complaints)
})

test('a reload keeps the identity, and a second tab has one of its own', async () => {
  const first = await set.joinedTab()
  const id = await nodeIdOf(first.page)
  const second = await set.joinedTab()
  assert.notEqual(await nodeIdOf(second.page), id)
  await first.page.reload()
  await reaches(first.page, 'joined', JOIN_TIMEOUT_MS)
  assert.equal(await nodeIdOf(first.page), id)
  assertQuiet([...first.complaints, ...second.complaints])
})

/** A tab with a browser profile of its own, whose page and workers begin with `prelude`. */
async function strangersTab(prelude = () => {}) {
  const context = await set.browser.newContext()
  contexts.push(context)
  await context.addInitScript(prelude)
  const page = await context.newPage()
  const complaints = watch(page)
  await page.goto(set.mesh.join)
  await reaches(page, 'joined', JOIN_TIMEOUT_MS)
  return { page, complaints }
}

const contexts = []
afterEach(async () => {
  for (const context of contexts.splice(0)) await context.close()
})

/** Waits until a tab knows the node and the other tab, and how it reaches that one. */
async function meets({ page, complaints }, way) {
  await page.locator('[data-peers]', { hasText: /^2$/ }).waitFor({ timeout: JOIN_TIMEOUT_MS })
  await page.getByText('direct, WebSocket').waitFor()
  await page.getByText(way).waitFor({ timeout: JOIN_TIMEOUT_MS })
  assertQuiet(complaints)
}

test('two tabs meet through the node, go on directly, and finish a run without it', async () => {
  const tabs = [await strangersTab(), await strangersTab()]
  for (const tab of tabs) await meets(tab, 'direct, WebRTC')
  // So many rounds that the node is gone long before the last.
  const rounds = 100
  await startRun('--rounds', String(rounds), '--min-updates', '2', '--deadline', '3')
  for (const { page } of tabs) await contribute(page)
  for (const { page } of tabs) {
    const selector = '[data-rounds-contributed]'
    await page.waitForFunction((one) => document.querySelector(one)?.textContent > 0, selector)
  }
  await set.mesh.kill()
  for (const { page } of tabs)
    assert.equal(await page.locator('[data-state="finished"]').count(), 0)
  for (const { page, complaints } of tabs) {
    await reaches(page, 'finished', 120_000)
    await page.locator(`[data-round="${rounds}"]`).waitFor()
    assert.equal(await page.locator('[data-peers]').textContent(), '1')
    assert.deepEqual(
      complaints.filter((text) => !REFUSED.test(text)),
      [],
    )
  }
})

test('a data channel that cannot be transferred to the worker is passed on by the page', async () => {
  const prelude = () => {
    const post = MessagePort.prototype.postMessage
    MessagePort.prototype.postMessage = function (message, transfer = []) {
      if (transfer.some?.((one) => one instanceof RTCDataChannel)) {
        throw new DOMException('not here', 'DataCloneError')
      }
      return post.call(this, message, transfer)
    }
  }
  const tabs = [await strangersTab(prelude), await strangersTab()]
  for (const tab of tabs) await meets(tab, 'direct, WebRTC')
})

test('two tabs of which one has no WebRTC stay on the relay', async () => {
  const tabs = [
    await strangersTab(() => {
      delete globalThis.RTCPeerConnection
    }),
    await strangersTab(),
  ]
  for (const tab of tabs) await meets(tab, 'relayed, WebSocket')
})

test('a tab trains with the node, and together they know more than it does alone', async () => {
  const { page, complaints } = await set.joinedTab()
  await startRun()
  await page.setInputFiles('[data-input="rows"]', set.files.rows)
  await page.setInputFiles('[data-input="test"]', set.files.test)
  await page.locator('[data-action="train-alone"]:enabled').click()
  const alone = await figure(page, 'data-accuracy-alone', 60_000)
  await page.locator('[data-action="join-run"]:enabled').click()
  await reaches(page, 'training', 20_000)
  await reaches(page, 'finished', 120_000)
  await page.locator(`[data-round="${ROUNDS}"]`).waitFor()
  const together = await figure(page, 'data-accuracy-together')
  assert.ok(alone < 0.4, `alone ${alone}`)
  assert.ok(together > 0.8, `together ${together}`)
  assert.equal(await page.locator('[data-rounds-contributed]').textContent(), String(ROUNDS))
  assertQuiet(complaints)
})

test('the trained model answers after the node is killed, also after a reload', async () => {
  const { page, complaints } = await set.joinedTab()
  await startRun()
  await contribute(page)
  await reaches(page, 'finished', 120_000)
  await figure(page, 'data-accuracy-together')
  const id = await nodeIdOf(page)
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => {}))
  await set.mesh.kill()
  await page.locator('[data-connection="offline"]').waitFor({ timeout: 30_000 })
  await askAndCheck(page)
  await page.reload()
  await page.locator(`[data-node-id="${id}"]`).waitFor()
  await page.locator(`[data-round="${ROUNDS}"]`).waitFor()
  await askAndCheck(page)
  assert.deepEqual(
    complaints.filter((text) => !REFUSED.test(text)),
    [],
  )
})

async function askAndCheck(page) {
  await page.fill('[data-input="try-text"]', unlabelled(set.files.test, 5))
  await page.click('[data-action="try"]')
  await page.locator('[data-answers="5"]').waitFor()
  assert.match(await page.locator('[data-answer]').first().textContent(), /^[0-9]$/)
}

test('the dashboard opens with the token and the API with nothing else', async () => {
  const page = await set.context.newPage()
  const complaints = watch(page)
  await page.goto(set.mesh.dashboard)
  await page.locator(`[data-node-id="${set.mesh.nodeId}"]`).waitFor()
  await reaches(page, 'joined')
  assert.equal(page.url(), `${set.mesh.origin}/`)
  assertQuiet(complaints)

  const status = async (headers) =>
    (await fetch(`${set.mesh.origin}/api/status`, { headers })).status
  assert.equal(await status({ authorization: `Bearer ${set.mesh.token}` }), 200)
  assert.equal(await status({}), 401)
  assert.equal(await status({ authorization: 'Bearer wrong' }), 401)
  const foreign = { authorization: `Bearer ${set.mesh.token}`, origin: 'https://example.org' }
  assert.equal(await status(foreign), 403)
})

test('the page is served under a policy that forbids inline code and foreign hosts', async () => {
  const response = await fetch(`${set.mesh.origin}/`)
  const policy = response.headers.get('content-security-policy') ?? ''
  for (const part of [
    "default-src 'none'",
    "script-src 'self' 'wasm-unsafe-eval'",
    "style-src 'self'",
  ]) {
    assert.ok(policy.includes(part), policy)
  }
  assert.doesNotMatch(policy, /unsafe-inline|'unsafe-eval'|\*\.|https:/)
  const wasm = await fetch(`${set.mesh.origin}/wasm/mesh_bg.wasm`)
  assert.equal(wasm.headers.get('content-type'), 'application/wasm')
})
