import assert from 'node:assert/strict'
import { test } from 'node:test'
import { aggregationText, completeAggregation } from '../dist/aggregation.js'

/** The rule with its bound, and what closes a round. */
function completed(request, updatesMin) {
  const { aggregation, updatesMin: least } = completeAggregation(request, updatesMin)
  return [aggregation?.rule ?? 'mean', aggregation?.byzantine ?? 0, least]
}

// They were given f = 0 and rounds of two updates: an unweighted mean under the name of a rule.
test('a rule that is named without numbers holds against one', () => {
  for (const [rule, least] of [
    ['median', 3],
    ['trimmed-mean', 3],
    ['geometric-median', 3],
    ['centered-clipping', 3],
    ['krum', 5],
    ['multi-krum', 5],
    ['bulyan', 7],
  ]) {
    assert.deepEqual(completed({ rule }), [rule, 1, least])
  }
})

// `--rule bulyan --min-updates N` was refused for every N from 4 on, Krum for 4.
test('a rule takes what its rounds allow', () => {
  for (const [rule, updatesMin, byzantine] of [
    ['median', 3, 0],
    ['median', 4, 1],
    ['centered-clipping', 10, 3],
    ['krum', 4, 0],
    ['multi-krum', 5, 1],
    ['krum', 10, 3],
    ['bulyan', 2, 0],
    ['bulyan', 6, 0],
    ['bulyan', 7, 1],
    ['bulyan', 11, 2],
    ['bulyan', 256, 63],
  ]) {
    assert.deepEqual(completed({ rule }, updatesMin), [rule, byzantine, updatesMin])
  }
})

test('auto takes a rule where one may lie, and the mean otherwise', () => {
  assert.deepEqual(completed({}), ['mean', 0, 2])
  assert.deepEqual(completed({}, 3), ['mean', 0, 3])
  assert.deepEqual(completed({}, 4), ['centered-clipping', 1, 4])
  assert.deepEqual(completed({ byzantine: 2 }), ['centered-clipping', 2, 5])
  assert.deepEqual(completed({ byzantine: 0 }, 10), ['mean', 0, 10])
})

test('what a user says is kept or refused, never changed', () => {
  assert.deepEqual(completed({ rule: 'krum', byzantine: 0 }), ['krum', 0, 2])
  assert.deepEqual(completed({ rule: 'bulyan', byzantine: 2 }), ['bulyan', 2, 11])
  for (const [request, updatesMin] of [
    [{ rule: 'bulyan', byzantine: 1 }, 6],
    [{ rule: 'mean', byzantine: 1 }],
    [{ rule: 'mean', radius: 1 }],
    [{ rule: 'median', byzantine: 128 }],
    [{ rule: 'median', byzantine: 0.5 }],
    [{ rule: 'median', radius: 0 }],
    [{ rule: 'mode' }],
  ]) {
    assert.throws(() => completeAggregation(request, updatesMin), { code: 'usage' })
  }
})

test('that nobody may lie is said', () => {
  assert.equal(aggregationText(null, 0), 'mean, 0 may lie')
  assert.equal(aggregationText({ rule: 'krum', byzantine: 0, radius: 0 }, 0), 'krum, 0 may lie')
  assert.equal(aggregationText({ rule: 'krum', byzantine: 1, radius: 0 }, 0), 'krum, 1 may lie')
})

test('mixing takes a rule and somebody who may lie', () => {
  const { aggregation } = completeAggregation({ mixing: true }, undefined)
  assert.deepEqual(aggregation, { rule: 'trimmed-mean', byzantine: 1, radius: 0, mixing: true })
  assert.equal(aggregationText(aggregation, 0), 'mixed, trimmed-mean, 1 may lie')
  assert.equal(completeAggregation({ rule: 'krum', mixing: true }, 9).aggregation.byzantine, 2)
  for (const [request, updatesMin] of [
    [{ rule: 'mean', mixing: true }],
    [{ rule: 'median', mixing: true, byzantine: 0 }],
    [{ mixing: true }, 2],
  ]) {
    assert.throws(() => completeAggregation(request, updatesMin), { code: 'usage' })
  }
})

test('trusted rows are in the place of a rule', () => {
  for (const rule of [undefined, 'auto', 'fltrust']) {
    const { aggregation, updatesMin } = completeAggregation({ rule }, 9, true)
    assert.deepEqual([aggregation, updatesMin], [undefined, 9])
  }
  assert.equal(aggregationText(null, 100), 'fltrust, 100 rows')
  for (const [request, isTrusting] of [
    [{ rule: 'fltrust' }, false],
    [{ rule: 'median' }, true],
    [{ rule: 'mean' }, true],
    [{ byzantine: 1 }, true],
    [{ radius: 1 }, true],
    [{ mixing: true }, true],
  ]) {
    assert.throws(() => completeAggregation(request, undefined, isTrusting), { code: 'usage' })
  }
})
