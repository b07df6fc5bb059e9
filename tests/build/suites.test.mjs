import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { after, test } from 'node:test'
import { ROOT } from '../../npm/scripts/lib/paths.mjs'
import { judged, nodeTest } from '../../npm/scripts/lib/suites.mjs'

// Below the root, because suites are named from there; ignored by git.
const scratch = mkdtempSync(join(ROOT, '.stamp-test-'))
after(() => rmSync(scratch, { recursive: true }))

/** What a suite of one file with this content counts. */
async function counts(name, content) {
  const folder = join(scratch, name)
  mkdirSync(folder)
  writeFileSync(join(folder, 'a.test.mjs'), content)
  // Else the inner runner takes itself for a part of this one.
  delete process.env.NODE_TEST_CONTEXT
  const { passed, failed, skipped } = await nodeTest(name, relative(ROOT, folder)).run()
  return { passed, failed, skipped }
}

const all = (...bodies) => `import { test } from 'node:test'\n${bodies.join('\n')}`

test('passes, failures and skips are counted', async () => {
  const mixed = all(
    "test('a', () => {})",
    "test('b', () => { throw 1 })",
    "test('c', { skip: true })",
  )
  assert.deepEqual(await counts('mixed', mixed), { passed: 1, failed: 1, skipped: 1 })
  const crash = all("test('a', () => {})", 'process.exit(7)')
  assert.equal((await counts('crash', crash)).failed, 1)
})

// Exit code 0 with nothing counted was a success.
test('a suite in which nothing passed has failed', async () => {
  const skipped = all("test('c', { skip: true })")
  assert.deepEqual(await counts('skipped', skipped), { passed: 0, failed: 1, skipped: 1 })
  const none = { passed: 0, failed: 0, skipped: 0, output: 'tests: 12 fine' }
  const failure = { ...none, failed: 1, output: 'tests: 12 fine\nno test has passed' }
  assert.deepEqual(judged(none, 0), failure)
  assert.deepEqual(judged(none, 101), { ...none, failed: 1 })
  assert.equal(judged({ ...none, passed: 12 }, 0).failed, 0)
})
