// What the page reads of tables by itself: counts at once, and errors with line numbers.
import assert from 'node:assert/strict'
import { test } from 'node:test'

import { survey } from '../node_modules/.cache/test/www/src/rows.js'

const bytes = (text) => new TextEncoder().encode(text)
const problemOf = (work) => {
  try {
    work()
  } catch (error) {
    return error.problem
  }
  return assert.fail('nothing was refused')
}

test('a table is counted with its labels, in order of the labels', () => {
  const seen = survey(bytes('1,2,10\n3,4,9\n\n5,6,10\n'))
  assert.deepEqual(seen, {
    rows: 3,
    columns: 3,
    header: false,
    labels: [
      { label: '9', count: 1 },
      { label: '10', count: 2 },
    ],
  })
})

test('a header is seen and not counted', () => {
  const seen = survey(bytes('length;width;kind\r\n1;2;"a;b"\r\n3;4;c\r\n'))
  assert.equal(seen.header, true)
  assert.equal(seen.rows, 2)
  assert.deepEqual(seen.labels, [
    { label: 'a;b', count: 1 },
    { label: 'c', count: 1 },
  ])
})

test('a byte order mark and comments are passed over', () => {
  const seen = survey(bytes('\ufeff# made by hand\n1\t2\n3\t4\n'))
  assert.deepEqual([seen.rows, seen.columns, seen.header], [2, 2, false])
})

test('text labels do not make a header', () => {
  assert.equal(survey(bytes('1,2,rose\n3,4,lily\n')).header, false)
  assert.equal(survey(bytes('a,b,kind\n3,4,lily\n')).header, true)
})

test('a last column with too many values is not shown as labels', () => {
  const lines = Array.from({ length: 40 }, (_, row) => `1,${row / 7}`)
  assert.equal(survey(bytes(lines.join('\n'))).labels, null)
})

test('what is no table is refused with its line', () => {
  assert.deepEqual(
    problemOf(() => survey(bytes('1,2\n\n3,4,5\n'))).message,
    'Line 3 has 3 columns; the first line has 2.',
  )
  assert.equal(problemOf(() => survey(bytes(' \n'))).code, 'csv-empty')
  assert.equal(problemOf(() => survey(bytes('a,b\n'))).code, 'csv-empty')
  assert.equal(problemOf(() => survey(Uint8Array.of(0xff, 0xfe))).code, 'csv-not-text')
})
