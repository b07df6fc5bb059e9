// The table that `npm run bench:net` prints: medians, ratios by turn, and goals met or missed.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lines, median, quantile, row } from '../../benches/net/figures.mjs'
import { bytesOf } from '../../benches/net/history.mjs'

test('quantiles are values that were measured, whatever their order', () => {
  const values = [5, 1, 4, 2, 3]
  assert.equal(median(values), 3)
  assert.equal(quantile(values, 0.99), 5)
  assert.equal(quantile([7], 0.5), 7)
  assert.deepEqual(values, [5, 1, 4, 2, 3], 'they are left as they were')
})

test('a ratio is above 1 where ours takes less time, turn by turn', () => {
  const [, ours, theirs, ratios] = row({
    what: 'x',
    unit: 'ms',
    ours: [10, 20, 40],
    theirs: [20, 20, 20],
  })
  assert.deepEqual([ours, theirs, ratios], ['20 ms', '20 ms', '1.00 (0.50, 1.00, 2.00)'])
})

test('a ratio is above 1 where ours moves more, turn by turn', () => {
  const given = { what: 'x', unit: 'MB/s', ours: [30, 60], theirs: [60, 30] }
  assert.equal(row(given)[3], '2.00 (0.50, 2.00)')
})

test('a goal is met or missed by the median, and by the ratio where there is one', () => {
  const goalOf = (given) => row({ what: 'x', unit: 'ms', ...given })[4]
  assert.equal(goalOf({ ours: [90], goal: 100 }), '<= 100 ms: met')
  assert.equal(goalOf({ ours: [101], goal: 100 }), '<= 100 ms: missed')
  assert.equal(
    goalOf({ ours: [90], theirs: [80], goal: 100, beats: true }),
    '<= 100 ms: met; ratio >= 1: missed',
  )
  assert.equal(row({ what: 'x', unit: 'count', ours: [40], goal: 100 })[4], '>= 100: missed')
  assert.equal(goalOf({ ours: [7], goal: 5, isBound: true }), '<= 5.0 ms: not shown')
  assert.equal(goalOf({ ours: [1] }), '')
})

test('a row without a peer has empty places, and a table a line for each row', () => {
  const one = row({ what: 'memory', unit: 'MiB', ours: [0.61] })
  assert.equal(lines([one, one]), '| memory | 0.6 MiB |  |  |  |\n| memory | 0.6 MiB |  |  |  |')
})

test('what a fetched run weighs is counted by hand', () => {
  const parameters = 64 * 1_024 + 1_024 + 1_024 * 896 + 896 + 896 * 10 + 10
  assert.equal(bytesOf(3), 3 * 4 * parameters)
})
