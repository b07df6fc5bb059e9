// The noise of a run, as users ask for it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { completePrivacy, privacyText, spentText } from '../dist/privacy.js'

test('noise is asked for with a length, or not at all', () => {
  assert.equal(completePrivacy({}), undefined)
  const { clip, noise, delta } = completePrivacy({ noise: 0.5, clip: 2 })
  assert.deepEqual([clip, noise, delta], [2, 0.5, 1e-5])
  assert.equal(completePrivacy({ noise: 0.5, clip: 2, delta: 1e-6 }).delta, 1e-6)
  for (const bad of [
    { clip: 1 },
    { delta: 1e-5 },
    { noise: 1 },
    { noise: 0, clip: 1 },
    { noise: 0.001, clip: 1 },
    { noise: 1e4, clip: 1 },
    { noise: Number.NaN, clip: 1 },
    { noise: 1, clip: 0 },
    { noise: 1, clip: -1 },
    // The core refuses what noise could make larger than any update.
    { noise: 1, clip: 1e6 },
    { noise: 1, clip: 1, delta: 0 },
    { noise: 1, clip: 1, delta: 0.5 },
    // Single precision makes nothing of it.
    { noise: 1, clip: 1, delta: 1e-60 },
  ]) {
    assert.throws(() => completePrivacy(bad), { code: 'usage' }, JSON.stringify(bad))
  }
})

test('people are told what is hidden and how well', () => {
  const view = { clip: 1, noise: 0.5, delta: Math.fround(1e-5), spent: 20.123, epsilon: 1234.5 }
  const text = 'noise of 0.5 times a length of 1: epsilon 1230 at delta 0.00001 after all rounds'
  assert.equal(privacyText(view), text)
  assert.equal(privacyText(null), 'not hidden')
  assert.deepEqual([spentText(view), spentText(null)], ['20.1 of 1230', '-'])
})
