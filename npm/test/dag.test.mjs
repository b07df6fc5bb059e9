import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeDagCbor } from '../dist/dag/cbor.js'
import { graphDot, graphText } from '../dist/dag/graph.js'

/** Examples of RFC 8949, appendix A, and of the DAG-CBOR specification. */
test('values are those of the specifications', () => {
  for (const [hex, value] of [
    ['00', 0],
    ['17', 23],
    ['1818', 24],
    ['1903e8', 1000],
    ['1b000000e8d4a51000', 1_000_000_000_000],
    ['1bffffffffffffffff', 18_446_744_073_709_551_615n],
    ['20', -1],
    ['3903e7', -1000],
    ['fb3ff199999999999a', 1.1],
    ['f4', false],
    ['f5', true],
    ['f6', null],
    ['4401020304', { '/': { bytes: 'AQIDBA==' } }],
    ['6449455446', 'IETF'],
    ['83010203', [1, 2, 3]],
    ['a26161016162820203', { a: 1, b: [2, 3] }],
    // A link: tag 42 around a zero and a CID, which base32 makes text (by Python's base64).
    [
      'd82a58250001711220cbc80bcea57ba4e88d8cd6a2b6ab2f9aee9b9ea1a3e3e9ab2d22c6d8ba2ad2a3',
      { '/': 'bafyreiglzaf45jl3utui3dgwuk3kwl4252nz5ind4pu2wljcy3mlukwsum' },
    ],
  ]) {
    const bytes = Uint8Array.from(Buffer.from(hex, 'hex'))
    assert.deepEqual(decodeDagCbor(bytes), value, hex)
  }
})

const entry = (id, author, parents, prev = null) => ({
  ...{ id, author, parents, prev, seq: 0, lamport: 1, timeMs: 0, size: 1 },
  kinds: ['update'],
})

test('a line names its parents by the lines below', () => {
  const text = graphText([
    entry('c', 'ann', ['b', 'a'], 'a'),
    entry('b', 'bob', ['elsewhere']),
    entry('a', 'ann', []),
  ])
  assert.deepEqual(text.split('\n'), [
    '* |  c  ann  update  -1 -2',
    '| *  b  bob  update  +1',
    '* |  a  ann  update',
  ])
})

test('Graphviz gets a box for each vertex and an arrow for each parent among them', () => {
  const dot = graphDot([entry('c', 'ann', ['b', 'a'], 'a'), entry('b', 'bob', ['elsewhere'])])
  assert.equal(dot.match(/fillcolor/g).length, 2)
  assert.deepEqual(dot.match(/"c" -> .*/g), ['"c" -> "b";'])
})
