/** What every browser test needs: a Chromium, a mesh to join, pages that record violations, files. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach } from 'node:test'

import { chromium } from 'playwright-core'

/** The installed browser; nothing is downloaded. */
export function launch() {
  const executablePath =
    process.env.SYNAPTIC_CHROMIUM ?? process.env.CHROMIUM ?? '/usr/bin/chromium'
  return chromium.launch({ executablePath, args: ['--no-sandbox'] })
}

/**
 * One browser for the tests of a file; for each test a mesh of its own, which `start` makes (it has
 * a `join` link and ends by `stop()`), and a context without anybody's storage.
 */
export function stage(digits, start, patienceMs) {
  const set = { browser: null, context: null, mesh: null, files: null, joinedTab }
  before(async () => {
    set.browser = await launch()
    set.files = digitsFiles(digits)
  })
  after(() => set.browser?.close())
  beforeEach(async () => {
    set.mesh = await start()
    set.context = await set.browser.newContext()
  })
  afterEach(async () => {
    await set.context.close()
    await set.mesh.stop()
  })
  /** A tab that has opened the link and become a member, and what was said against it. */
  async function joinedTab(link = set.mesh.join) {
    const page = await set.context.newPage()
    const complaints = watch(page)
    await page.goto(link)
    await reaches(page, 'joined', patienceMs)
    return { page, complaints }
  }
  return set
}

/** The author id that a page shows as its own. */
export function nodeIdOf(page) {
  return page.locator('[data-node-id]').textContent()
}

/** Notes everything the console, the policy and uncaught errors say against a page. */
export function watch(page) {
  const complaints = []
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  return complaints
}

/** The page's one word, waited for. */
export async function reaches(page, state, timeout = 10_000) {
  await page.locator(`[data-state="${state}"]`).waitFor({ timeout })
}

/** A four-decimal figure, waited for. */
export async function figure(page, hook, timeout = 30_000) {
  const place = page.locator(`[${hook}]`)
  await page.waitForFunction(
    (selector) => /^\d\.\d{4}$/.test(document.querySelector(selector)?.textContent ?? ''),
    `[${hook}]`,
    { timeout },
  )
  return Number(await place.textContent())
}

/**
 * The digits as a small mesh has them: a skewed share for the tab (threes, sevens, a few ones), the
 * rest for everybody else, and held-out rows. Deterministic; in a folder of its own.
 */
export function digitsFiles(digits) {
  const lines = readFileSync(digits, 'utf8').trim().split('\n')
  const labelled = lines.map((line, at) => ({ line, at, label: Number(line.split(',').at(-1)) }))
  const isTest = ({ at }) => at % 5 === 0
  const isTab = ({ label, at }) => [3, 7].includes(label) || (label === 1 && at % 4 === 0)
  const rest = labelled.filter((row) => !isTest(row))
  const folder = mkdtempSync(join(tmpdir(), 'synaptic-mesh-page-'))
  const write = (name, set) => {
    const file = join(folder, name)
    writeFileSync(file, `${set.map(({ line }) => line).join('\n')}\n`)
    return file
  }
  const rows = rest.filter(isTab)
  return {
    folder,
    rows: write('rows.csv', rows),
    count: rows.length,
    others: write(
      'others.csv',
      rest.filter((row) => !isTab(row)),
    ),
    test: write('held-out.csv', labelled.filter(isTest)),
  }
}

/** The first rows of a file without their last column. */
export function unlabelled(file, rows) {
  const lines = readFileSync(file, 'utf8').trim().split('\n').slice(0, rows)
  return lines.map((line) => line.slice(0, line.lastIndexOf(','))).join('\n')
}

/** Fails with the complaints themselves. */
export function assertQuiet(complaints) {
  assert.deepEqual(complaints, [])
}
