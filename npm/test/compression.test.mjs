// What users say of compression, completed and checked.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { completeCompression, compressionText } from '../dist/compression.js'

test('compression is none unless it is asked for, and eight bits where a share is', () => {
  for (const [request, expected] of [
    [{}, undefined],
    [{ compression: 'none' }, undefined],
    [{ compression: 'sign' }, { bits: 1, keep: 1_000_000 }],
    [{ compression: 'int2' }, { bits: 2, keep: 1_000_000 }],
    [
      { compression: 'int4', keep: 1 },
      { bits: 4, keep: 10_000 },
    ],
    [{ keep: 0.0001 }, { bits: 8, keep: 1 }],
    [{ keep: 100 }, { bits: 8, keep: 1_000_000 }],
  ]) {
    assert.deepEqual(completeCompression(request), expected)
  }
})

test('what is no compression is a usage error', () => {
  for (const request of [
    { compression: 'int3' },
    { compression: 'toString' },
    { compression: 'none', keep: 1 },
    { keep: 0 },
    { keep: 100.1 },
    { keep: Number.NaN },
  ]) {
    assert.throws(() => completeCompression(request), { code: 'usage' }, JSON.stringify(request))
  }
})

test('compression is said in words', () => {
  assert.equal(compressionText(null), 'whole')
  assert.equal(compressionText({ bits: 1, keep: 1_000_000 }), 'all values, their signs')
  assert.equal(compressionText({ bits: 4, keep: 10_000 }), 'the largest 1 %, 4 bits each')
})
