// The page in a real browser, with stand-in artifacts behind it: identity, files, curves, offline, policy.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { serve, TOKEN } from '../fake/server.mjs'
import { assertQuiet, figure, nodeIdOf, reaches, stage, unlabelled, watch } from './page.mjs'

const DIGITS =
  process.env.SYNAPTIC_DIGITS ?? new URL('../../../data/digits.csv', import.meta.url).pathname

const set = stage(DIGITS, serve)

test('a tab joins, trains alone, trains together, and says so at every step', async () => {
  const { page, complaints } = await set.joinedTab()
  assert.equal(await page.locator('[data-peers]').textContent(), '3')
  assert.equal(await page.locator('[data-action="join-run"]').isDisabled(), true)
  await page.setInputFiles('[data-input="rows"]', set.files.rows)
  await page.locator('[data-action="train-alone"]:enabled').waitFor()
  // As fast as a program clicks: the held-out rows must still be the ones it is measured on.
  await page.setInputFiles('[data-input="test"]', set.files.test)
  await page.evaluate(() => document.querySelector('[data-action="train-alone"]').click())
  const alone = await figure(page, 'data-accuracy-alone')
  assert.ok(alone > 0.15 && alone < 0.4, `alone ${alone}`)
  await page.click('[data-action="join-run"]')
  await reaches(page, 'training')
  await reaches(page, 'finished', 60_000)
  await figure(page, 'data-accuracy-together')
  assert.equal(await page.locator('[data-round]').textContent(), '20')
  assert.equal(await page.locator('[data-rounds-contributed]').textContent(), '20')
  assert.equal(
    await page.locator('[data-samples]').getAttribute('data-samples'),
    String(set.files.count),
  )
  assert.equal(await page.locator('.plot canvas').count(), 1)
  assertQuiet(complaints)
})

test('a reload keeps identity, model and curve; without the serving node the model still answers', async () => {
  const { page, complaints } = await set.joinedTab()
  const before = await nodeIdOf(page)
  await page.setInputFiles('[data-input="rows"]', set.files.rows)
  await page.click('[data-action="join-run"]')
  await reaches(page, 'finished', 60_000)
  await page.evaluate(() => navigator.serviceWorker.ready.then(() => {}))
  await set.mesh.stop()
  await page.locator('[data-connection="offline"]').waitFor()
  await page.reload()
  await reaches(page, 'finished')
  assert.equal(await nodeIdOf(page), before)
  assert.equal(await page.locator('[data-round]').textContent(), '20')
  await page.fill('[data-input="try-text"]', unlabelled(set.files.rows, 3))
  await page.click('[data-action="try"]')
  await page.locator('[data-answers="3"]').waitFor()
  assert.match(await page.locator('[data-answer]').first().textContent(), /^[0-9]$/)
  assert.deepEqual(
    complaints.filter((text) => !/ERR_CONNECTION_REFUSED|ERR_FAILED|Failed to fetch/.test(text)),
    [],
  )
})

test('a second tab is a second member, and both keep their names over a reload', async () => {
  const first = await set.joinedTab()
  const second = await set.joinedTab()
  const ids = [await nodeIdOf(first.page), await nodeIdOf(second.page)]
  assert.notEqual(ids[0], ids[1])
  await Promise.all([first.page.reload(), second.page.reload()])
  await Promise.all([reaches(first.page, 'joined'), reaches(second.page, 'joined')])
  assert.deepEqual([await nodeIdOf(first.page), await nodeIdOf(second.page)], ids)
  assertQuiet([...first.complaints, ...second.complaints])
})

test('a tab that was closed comes back as itself, without the link', async () => {
  const { page } = await set.joinedTab()
  const id = await nodeIdOf(page)
  await page.close()
  const again = await set.joinedTab(set.mesh.origin)
  assert.equal(await nodeIdOf(again.page), id)
})

test('identity secrets lie in the browser encrypted, under a key that cannot be read', async () => {
  const { page } = await set.joinedTab()
  const stored = await page.evaluate(async () => {
    const request = indexedDB.open('synaptic-mesh-page')
    await new Promise((resolve) => {
      request.onsuccess = resolve
    })
    const all = request.result.transaction('profiles').objectStore('profiles').getAll()
    await new Promise((resolve) => {
      all.onsuccess = resolve
    })
    const [{ key, wrapped, ...rest }] = all.result
    const exported = await crypto.subtle.exportKey('raw', key).then(
      () => true,
      () => false,
    )
    return {
      extractable: key.extractable,
      exported,
      bytes: wrapped.byteLength,
      fields: Object.keys(rest).sort(),
    }
  })
  assert.deepEqual(stored, {
    extractable: false,
    exported: false,
    bytes: 128 + 16,
    fields: ['addresses', 'id', 'iv', 'meshName', 'network', 'nodeId', 'slot', 'usedAt'],
  })
})

test('a bad link, a wrong file and a missing choice each get one clear sentence', async () => {
  const page = await set.context.newPage()
  await page.goto(`${set.mesh.origin}/#join=eyJ2Ijox`)
  await page.locator('[data-problem="bad-link"]').waitFor()
  await reaches(page, 'idle')

  const tab = (await set.joinedTab()).page
  const ragged = join(set.files.folder, 'ragged.csv')
  writeFileSync(ragged, '1,2,0\n1,0\n')
  await tab.setInputFiles('[data-input="rows"]', ragged)
  await tab.locator('[data-problem="csv-ragged"]').waitFor()
  assert.match(
    await tab.locator('[data-problem="csv-ragged"]').textContent(),
    /Line 2 has 2 columns/,
  )
  const narrow = join(set.files.folder, 'narrow.csv')
  writeFileSync(narrow, '1,2,0\n1,2,1\n')
  await tab.setInputFiles('[data-input="rows"]', narrow)
  await tab.locator('[data-problem="rows-misfit"]').waitFor()
  assert.equal(await tab.locator('[data-action="join-run"]').isDisabled(), true)
})

test('a browser without what a node needs is told so, once and finally', async () => {
  const missing = {
    'no-indexeddb': () => {
      IDBFactory.prototype.open = () => {
        throw new DOMException('denied', 'SecurityError')
      }
    },
    'no-web-locks': () =>
      Object.defineProperty(WorkerNavigator.prototype, 'locks', { value: undefined }),
    'no-wasm-simd': () => {
      WebAssembly.validate = () => false
    },
  }
  for (const [code, damage] of Object.entries(missing)) {
    // Requests that a service worker answers cannot be changed on the way.
    const bare = await set.browser.newContext({ serviceWorkers: 'block' })
    const page = await bare.newPage()
    // The worker's own scope cannot be scripted from here: its file is served with the damage in front.
    await page.route('**/assets/worker-*.js', async (route) => {
      const response = await route.fetch()
      await route.fulfill({ response, body: `(${damage})();${await response.text()}` })
    })
    await page.goto(set.mesh.join)
    await page.locator(`[data-problem="${code}"]`).waitFor()
    await reaches(page, 'dead')
    await bare.close()
  }
})

test('a full disk is said, and the page goes on', async () => {
  const page = await set.context.newPage()
  await page.route('**/assets/worker-*.js', async (route) => {
    const response = await route.fetch()
    const damage = () => {
      const put = IDBObjectStore.prototype.put
      IDBObjectStore.prototype.put = function (...args) {
        if (this.name === 'models') throw new DOMException('full', 'QuotaExceededError')
        return put.apply(this, args)
      }
    }
    await route.fulfill({ response, body: `(${damage})();${await response.text()}` })
  })
  await page.goto(set.mesh.join)
  await page.setInputFiles('[data-input="rows"]', set.files.rows)
  await page.locator('[data-action="join-run"]:enabled').click()
  await page.locator('[data-problem="storage-full"]').waitFor()
  await reaches(page, 'finished', 60_000)
})

test('the owner sees the node with the token, which leaves the address, and nothing without it', async () => {
  const page = await set.context.newPage()
  const complaints = watch(page)
  await page.goto(set.mesh.dashboard)
  await reaches(page, 'training')
  assert.equal(await page.locator('[data-peers]').textContent(), '4')
  assert.equal(page.url(), `${set.mesh.origin}/`)
  set.mesh.emit({
    type: 'round',
    run: 'bafyowner',
    name: 'digits',
    round: 7,
    rounds: 20,
    updates: 5,
    contributors: [],
    weightsCid: 'b7',
  })
  await page.locator('[data-round="7"]').waitFor()
  set.mesh.emit({
    type: 'evaluated',
    run: 'bafyowner',
    name: 'digits',
    round: 7,
    rows: 360,
    loss: 0.3,
    accuracy: 0.9125,
  })
  assert.equal(await figure(page, 'data-accuracy-together'), 0.9125)
  assert.equal(await page.locator('[data-input="rows"]').count(), 0)
  await page.reload()
  await reaches(page, 'training')
  assertQuiet(complaints)

  const stranger = await set.context.newPage()
  await stranger.goto(`${set.mesh.origin}/#token=wrong`)
  await stranger.locator('[data-problem="token-refused"]').waitFor()
  const statuses = await Promise.all([
    fetch(`${set.mesh.origin}/api/status`).then(({ status }) => status),
    fetch(`${set.mesh.origin}/api/status`, { headers: { authorization: `Bearer ${TOKEN}x` } }).then(
      ({ status }) => status,
    ),
  ])
  assert.deepEqual(statuses, [401, 403])
})

test('a page with neither link nor token explains itself', async () => {
  const page = await set.context.newPage()
  const complaints = watch(page)
  await page.goto(set.mesh.origin)
  await page.getByRole('heading', { name: 'Open a join link' }).waitFor()
  await reaches(page, 'idle')
  assertQuiet(complaints)
})
