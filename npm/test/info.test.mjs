import assert from 'node:assert/strict'
import { test } from 'node:test'
import { detailOf } from '../dist/commands/neural-info.js'
import { indexOfMax } from '../dist/training/assess.js'

test('the settings of a layer in a few words', () => {
  const table = [
    [{ units: 3, activation: 'relu' }, 'relu'],
    [
      { type: 'conv2d', filters: 8, kernel: [5, 3], padding: 'same', activation: 'relu' },
      'kernel 5x3, padding same, relu',
    ],
    [{ type: 'add', with: [0, 2] }, 'with 0 and 2'],
    [{ type: 'lstm', units: 5, returns: 'all' }, 'returns all'],
    [{ type: 'flatten' }, ''],
  ]
  for (const [layer, text] of table) assert.equal(detailOf(layer), text)
})

test('of equal numbers the first is the largest, as in the core', () => {
  assert.deepEqual(
    [[1, 3, 3], [0, 0], [-2, -1], []].map((row) => indexOfMax(row)),
    [1, 0, 1, 0],
  )
})
