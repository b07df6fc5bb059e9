import assert from 'node:assert/strict'
import { test } from 'node:test'
import { batchFor } from '../dist/training/optimisers.js'

test('small tables are trained in small steps', () => {
  assert.deepEqual([1, 150, 320, 1_500, 60_000].map(batchFor), [4, 4, 10, 32, 32])
})
