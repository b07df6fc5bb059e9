// The page Training, over real runs between a node and tabs: what it draws is what the history says.
import assert from 'node:assert/strict'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { assertQuiet, nodeIdOf, reaches, stage, watch } from '../../www/test/browser/page.mjs'
import { DIGITS, startNode } from './node.mjs'

const ROUNDS = 6
const JOIN_TIMEOUT_MS = 20_000
const RUN_TIMEOUT_MS = 120_000

const set = stage(DIGITS, startNode, JOIN_TIMEOUT_MS)

/** A run of the node, and a tab that takes part. */
async function training(rounds, ...more) {
  return trainingOf(await set.joinedTab(), rounds, ...more)
}

async function trainingOf({ page, complaints }, rounds, ...more) {
  const id = await nodeIdOf(page)
  const rows = ['--data', set.files.others, '--test', set.files.test]
  const shape = ['--layers', '64,32,10', '--epochs', '3', '--rounds', String(rounds)]
  await page.setInputFiles('[data-input="rows"]', set.files.rows)
  await page.setInputFiles('[data-input="test"]', set.files.test)
  // A run that takes one member may be over before the command is.
  const started = set.mesh.command('run', 'start', 'digits', ...rows, ...shape, ...more)
  await page.locator('[data-action="join-run"]:enabled').click()
  await started
  return { page, complaints, id }
}

/** The page Training of the dashboard. */
async function dashboard() {
  const page = await set.context.newPage()
  const complaints = watch(page)
  await page.goto(set.mesh.dashboard)
  await page.locator('[data-page="training"]').click()
  await page.locator('[data-training]').waitFor()
  return { page, complaints }
}

/** The rows of a table as texts, without its head. */
async function cells(page, name) {
  const rows = await page.locator(`[data-table="${name}"] tbody tr`).all()
  return Promise.all(rows.map((row) => row.locator('th, td').allTextContents()))
}

async function course() {
  const answer = await fetch(`${set.mesh.origin}/api/run.training`, {
    method: 'POST',
    headers: { authorization: `Bearer ${set.mesh.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ run: 'digits' }),
  })
  return (await answer.json()).data
}

test('a run is drawn round by round, each chart beside a table that says the same', async () => {
  const tab = await training(ROUNDS)
  const { page, complaints } = await dashboard()
  await page.locator(`[data-promotion="${ROUNDS}"]`).waitFor({ timeout: RUN_TIMEOUT_MS })
  await page.locator(`[data-chart="accuracy"][data-points="${ROUNDS}"]`).waitFor()
  const told = await course()
  const newestFirst = told.course.toReversed()
  assert.deepEqual(
    await cells(page, 'scores'),
    newestFirst.map(({ round, score: { accuracy, loss, rows } }) => [
      String(round),
      accuracy.toFixed(4),
      loss.toFixed(4),
      String(rows),
    ]),
  )
  assert.ok(newestFirst[0].score.accuracy > 0.8)
  const bytes = await cells(page, 'bytes')
  assert.deepEqual(
    bytes.map(([round, sent, taken]) => [round, sent, taken]),
    newestFirst.map(({ round }) => [String(round), '2', '2']),
  )
  // Two updates of 2410 values in single precision.
  assert.ok(bytes.every(([, , , updates]) => updates === '19 kB'))
  const members = new Map((await cells(page, 'members')).map((row) => [row[0], row]))
  const [, rows, sent, taken, share, , now] = members.get(tab.id.slice(0, 6))
  assert.deepEqual([rows, sent, taken], [String(set.files.count), String(ROUNDS), String(ROUNDS)])
  const all = told.members.reduce((sum, { samples }) => sum + samples, 0)
  assert.equal(share, `${((100 * set.files.count) / all).toFixed(1)} %`)
  assert.equal(now, 'to the end')
  assert.equal(members.size, 2)
  const promotion = await page.locator('[data-promotion]').textContent()
  assert.ok(promotion.includes(told.course.at(-1).result.weightsCid.slice(0, 16)), promotion)
  for (const [chart, points] of [
    ['accuracy', ROUNDS],
    ['loss', ROUNDS],
    ['bytes', ROUNDS],
  ]) {
    const picture = page.locator(`[data-chart="${chart}"]`)
    assert.equal(await picture.getAttribute('data-points'), String(points))
    assert.match(await picture.getAttribute('aria-label'), /in round 1, .* in round 6; .* table/)
  }
  assert.equal(await page.locator('[data-chart="loss"] polyline.dashes').count(), 1)
  assert.match(
    await page.locator('section[aria-label="Left out and refused"]').textContent(),
    /Every/,
  )

  // The tab has followed the same run by events; nobody told it bytes.
  await tab.page.locator('[data-page="training"]').click()
  await tab.page.locator(`[data-promotion="${ROUNDS}"]`).waitFor()
  assert.equal(await tab.page.locator('[data-chart="accuracy"]').count(), 1)
  assert.equal(await tab.page.locator('[data-table="bytes"]').count(), 0)
  await tab.page.locator('[data-page="overview"]').click()
  await reaches(tab.page, 'finished')
  assertQuiet([...complaints, ...tab.complaints])
})

test('a dashboard that is opened after the run shows its whole course', async () => {
  await training(ROUNDS)
  const done = async () => (await course()).course.filter(({ result }) => result !== null).length
  while ((await done()) < ROUNDS) await new Promise((resolve) => setTimeout(resolve, 100))
  const { page, complaints } = await dashboard()
  await page.locator(`[data-promotion="${ROUNDS}"]`).waitFor()
  assert.equal((await cells(page, 'bytes')).length, ROUNDS)
  assertQuiet(complaints)
})

test('a member that is gone is behind, and the open round misses it', async () => {
  const tab = await training(2_000, '--min-updates', '1', '--deadline', '1')
  const { page, complaints } = await dashboard()
  const standing = page.locator(`[data-member="${tab.id}"] [data-standing]`)
  await standing.waitFor({ timeout: RUN_TIMEOUT_MS })
  await tab.page.waitForFunction(
    () => document.querySelector('[data-rounds-contributed]')?.textContent > 0,
  )
  await tab.page.close({ runBeforeUnload: false })
  await page
    .locator(`[data-member="${tab.id}"] [data-standing]`, { hasText: /^\d+ rounds behind$/ })
    .waitFor({ timeout: RUN_TIMEOUT_MS })
  const open = await page.locator('[data-open]').textContent()
  assert.match(open, new RegExp(`or after 1 s with 1\\. Missing: (.*, )?${tab.id.slice(0, 6)}`))
  const missing = Number(await page.locator('[data-missing]').textContent())
  assert.ok(missing >= 1, 'this node may be at it as well')
  assertQuiet(complaints)
})

test('an update that comes when the round has its result is listed with the reason', async () => {
  await training(30, '--quorum', '1', '--min-updates', '1')
  const { page, complaints } = await dashboard()
  await page.locator('[data-promotion="30"]').waitFor({ timeout: RUN_TIMEOUT_MS })
  await page.locator('[data-table="left-out"]').waitFor()
  const told = async () =>
    (await course()).course.flatMap(({ updates }) => updates.filter((one) => one.whyNot !== null))
  let rows = await cells(page, 'left-out')
  // The last ones may still be on their way.
  for (let wait = 0; rows.length !== (await told()).length && wait < 40; wait += 1) {
    await new Promise((resolve) => setTimeout(resolve, 250))
    rows = await cells(page, 'left-out')
  }
  assert.equal(rows.length, (await told()).length)
  for (const [, , , why] of rows)
    assert.match(why, /^(came after|trained from|another one|not taken)/)
  assertQuiet(complaints)
})

test('a tab that lies, for an experiment, is found by who has its rows', async () => {
  const tab = await set.joinedTab()
  await tab.page.locator('[data-input="attack"]').selectOption('label-flip')
  await tab.page.locator('[data-attack="label-flip"]').waitFor()
  await trainingOf(tab, 3, '--quorum', '2', '--min-updates', '2')
  await reaches(tab.page, 'finished', RUN_TIMEOUT_MS)
  const car = join(mkdtempSync(join(tmpdir(), 'synaptic-mesh-lies-')), 'run.car')
  await set.mesh.command('run', 'export', 'digits', '--output', car)
  const retrained = (rows) => set.mesh.command('verify', car, '--retrain', '--data', rows)
  assert.equal((await retrained(set.files.others)).retrained.equal, 3, 'the control: who is honest')
  await assert.rejects(retrained(set.files.rows), ({ stdout }) => JSON.parse(stdout).ok === false)
  assertQuiet(tab.complaints)
})
