// The simulator's page in a real browser: the trace is the native one, and faults are by click.
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname } from 'node:path'
import { after, afterEach, before, beforeEach, test } from 'node:test'

import { launch, watch } from '../browser/page.mjs'

const DIST = new URL('../../dist-sim', import.meta.url).pathname
const GOLDEN = new URL('../../../tests/simulation/golden.json', import.meta.url)
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' }
/** A scenario of a minute or two takes seconds; machines are shared. */
const PATIENCE_MS = 120_000

let browser
let server
let page
let complaints

before(async () => {
  assert.ok(existsSync(`${DIST}/sim.html`), 'npm run build -- sim')
  browser = await launch()
  server = createServer((request, response) => {
    const file = DIST + new URL(request.url, 'http://localhost').pathname
    if (!existsSync(file)) return response.writeHead(404).end()
    response.setHeader('content-type', TYPES[extname(file)] ?? 'application/wasm')
    response.end(readFileSync(file))
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
})

after(async () => {
  await browser?.close()
  server?.close()
})

beforeEach(async () => {
  page = await browser.newPage()
  complaints = watch(page)
  await page.goto(`http://127.0.0.1:${server.address().port}/sim.html`)
  await reaches('paused')
})

afterEach(async () => {
  assert.deepEqual(
    complaints.filter((line) => !line.includes('404')),
    [],
  )
  await page.close()
})

const reaches = (state) => page.locator(`[data-state="${state}"]`).waitFor({ timeout: PATIENCE_MS })
const hash = () => page.locator('[data-hash]').textContent()

async function begin(scenario, nodes, seed) {
  await page.selectOption('[data-input="scenario"]', scenario)
  await page.fill('[data-input="nodes"]', `${nodes}`)
  await page.fill('[data-input="seed"]', `${seed}`)
  await page.locator('[data-input="seed"]').blur()
  await page.click('[data-action="begin"]')
}

/** Plays until so many virtual seconds have passed, or as fast as it goes to the end. */
async function play(seconds = Number.POSITIVE_INFINITY) {
  await page.selectOption('[data-input="speed"]', Number.isFinite(seconds) ? '10' : 'Infinity')
  await page.click('[data-action="play"]')
  if (!Number.isFinite(seconds)) return reaches('done')
  await page.waitForFunction(
    (least) => Number(document.querySelector('[data-now]').textContent) >= least,
    seconds,
    { timeout: PATIENCE_MS },
  )
  await page.click('[data-action="play"]')
}

test('the page leaves the traces that the native simulator left', async () => {
  const golden = Object.entries(JSON.parse(readFileSync(GOLDEN, 'utf8')))
  assert.ok(golden.length >= 3)
  for (const [name, expected] of golden) {
    await begin(...name.split(' '))
    assert.notEqual(await hash(), expected, 'before it has run')
    await play()
    assert.equal(await hash(), expected, name)
    assert.match(await page.locator('[data-report]').textContent(), /every invariant held/)
  }
})

test('faults by click change the trace and break no invariant', async () => {
  await begin('partition-heal', 12, 3)
  await play(25)
  await page.locator('summary').click()
  await page.check('[data-member="2"]')
  await page.click('[data-action="kill"]')
  await page.check('[data-member="3"]')
  await page.click('[data-action="cut-off"]')
  await page.uncheck('[data-member="2"]')
  await page.uncheck('[data-member="3"]')
  await page.check('[data-member="9"]')
  await page.selectOption('[data-input="attack"]', 'equivocate')
  await page.click('[data-action="corrupt"]')
  await play(45)
  const says = (node) => page.locator(`label:has([data-member="${node}"])`).textContent()
  assert.match(await says(2), /down, 0 vertices, 0 peers/)
  assert.match(await says(3), /up, \d+ vertices, 0 peers/)
  assert.match(await says(9), /Byzantine/)
  await page.check('[data-member="2"]')
  await page.click('[data-action="restart"]')
  await page.click('[data-action="heal"]')
  await play()
  assert.match(await page.locator('[data-report]').textContent(), /every invariant held/)
  assert.match(await page.locator('.page').textContent(), /somebody interfered/)
})

test('what cannot be simulated is refused in words', async () => {
  await page.evaluate(() => {
    document.querySelector('[data-input="scenario"] option').value = 'nothing'
  })
  await page.selectOption('[data-input="scenario"]', 'crowd')
  await page.selectOption('[data-input="scenario"]', 'nothing')
  await page.click('[data-action="begin"]')
  assert.match(await page.locator('.bad').textContent(), /"nothing" is no scenario/)
})
