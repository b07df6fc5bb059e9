// A step runs when its inputs changed, and only then; an interrupted one runs again.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { after, test } from 'node:test'
import { ROOT } from '../../npm/scripts/lib/paths.mjs'
import { digest, step } from '../../npm/scripts/lib/stamp.mjs'

// Below the root, because steps name their files from there; ignored by git.
const scratch = mkdtempSync(join(ROOT, '.stamp-test-'))
after(() => rmSync(scratch, { recursive: true }))
const at = (name) => relative(ROOT, join(scratch, name))
const write = (name, text) => writeFileSync(join(scratch, name), text)

const about = { name: 'test', inputs: [at('in')], output: at('out'), stamp: at('stamp') }

test('a step runs once for one state of its inputs', async () => {
  let runs = 0
  const action = async () => {
    runs += 1
    write('out', 'made')
  }
  write('in', 'a')
  await step(about, action)
  await step(about, action)
  assert.equal(runs, 1)
  write('in', 'b')
  await step(about, action)
  await step({ ...about, words: ['other compiler'] }, action)
  rmSync(join(scratch, 'out'))
  await step({ ...about, words: ['other compiler'] }, action)
  assert.equal(runs, 4)
})

test('a step that failed is not taken for done', async () => {
  write('in', 'c')
  await assert.rejects(
    step(about, () => Promise.reject(new Error('full disk'))),
    /full disk/,
  )
  let ran = false
  await step(about, async () => {
    ran = true
  })
  assert.ok(ran)
})

test('a renamed file is a change', () => {
  write('one', 'same')
  write('two', 'same')
  assert.notEqual(digest([at('one')]), digest([at('two')]))
})
