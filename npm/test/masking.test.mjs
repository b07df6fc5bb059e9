// Secure aggregation of a run, as users ask for it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { completeMasking, maskingText } from '../dist/masking.js'
import { completeRun } from '../dist/run-options.js'

const asked = { name: 'masked', data: 'rows.csv', layers: [2, 2], secureAggregation: true }

test('masked rounds are means of three or more', () => {
  const { masking, updatesMin, aggregation } = completeRun(asked)
  assert.deepEqual([masking, updatesMin, aggregation], [{ clip: 16, threshold: 66 }, 3, undefined])
  // From four updates on `auto` would take a rule, which needs single updates.
  const four = completeRun({ ...asked, updatesMin: 4 })
  assert.deepEqual([four.updatesMin, four.aggregation], [4, undefined])
  assert.notEqual(
    completeRun({ ...asked, updatesMin: 4, secureAggregation: false }).aggregation,
    undefined,
  )
  assert.equal(completeMasking({}, {}), undefined)
})

test('what looks at single updates is refused beside it', () => {
  for (const beside of [
    { rule: 'median' },
    { rule: 'fltrust', reference: 'trusted.csv' },
    { reference: 'trusted.csv' },
    { byzantine: 1 },
    { radius: 1 },
    { mixing: true },
    { compression: 'int4' },
    { commitReveal: true },
    { updatesMin: 2 },
    { updatesMin: 65 },
  ]) {
    assert.throws(
      () => completeRun({ ...asked, ...beside }),
      { code: 'usage' },
      JSON.stringify(beside),
    )
  }
})

test('people are told who sees updates', () => {
  assert.equal(maskingText(null), 'all members')
  assert.match(maskingText({ clip: 16, threshold: 66 }), /^nobody, unless over 32 % .* cut to 16$/)
})
