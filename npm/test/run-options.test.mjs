// The numbers of a run, as the core takes them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { completeRun } from '../dist/run-options.js'

const run = (numbers) => completeRun({ name: 'a', data: 'rows.csv', layers: [2, 1], ...numbers })

// 1 - 1e-9 was let through as under 1, and was 1 for the core.
test('numbers of single precision are checked as the core gets them', () => {
  for (const [key, value, isGood] of [
    ['serverMomentum', 0, true],
    ['serverMomentum', 0.9, true],
    ['serverMomentum', 1 - 2 ** -24, true],
    ['serverMomentum', 1 - 1e-9, false],
    ['serverMomentum', 1e-50, false],
    ['serverMomentum', -1e-50, false],
    ['serverMomentum', 1, false],
    ['serverMomentum', Number.NaN, false],
    ['workerMomentum', 0.9, true],
    ['workerMomentum', 1, false],
    ['momentum', 1 - 1e-9, false],
    ['momentum', 0, true],
    ['learningRate', 1e-50, false],
    ['learningRate', 1e-40, true],
    ['learningRate', Number.POSITIVE_INFINITY, false],
    ['rounds', 1.5, false],
    ['rounds', 10_000, true],
  ]) {
    const what = () => run({ [key]: value })
    if (isGood) assert.equal(what()[key], value, `${key} ${value}`)
    else assert.throws(what, { code: 'usage' }, `${key} ${value}`)
  }
})
