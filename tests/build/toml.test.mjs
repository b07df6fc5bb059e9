// The TOML subset: what this repository writes is read exactly, everything else is refused.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parseToml } from '../../npm/scripts/lib/toml.mjs'

test('tables, arrays of tables and multi-line arrays are read', () => {
  const text = `
# a comment
[tools] # another
wasm-pack = "0.15.1"
[flags]
list = [ # why
  "-a",
  '--b="c"', # quoted
]
[[artifact]]
name = "x # not a comment"
on = true
[[artifact]]
size = 1_331
empty = []
`
  assert.deepEqual(parseToml(text), {
    tools: { 'wasm-pack': '0.15.1' },
    flags: { list: ['-a', '--b="c"'] },
    artifact: [
      { name: 'x # not a comment', on: true },
      { size: 1331, empty: [] },
    ],
  })
})

test('what the reader does not know is refused with its line, not misread', () => {
  for (const text of ['a', 'a = {b = 1}', 'a = 1.5', 'a = """b"""', 'a = [1', 'a = 2026-11-21']) {
    assert.throws(() => parseToml(`# one\n${text}\n`), /line 2/, text)
  }
})

test('the build matrix has the four artifacts of the design, each with budgets', () => {
  const path = new URL('../../wasm-pack.toml', import.meta.url)
  const { artifact, flags } = parseToml(readFileSync(path, 'utf8'))
  assert.deepEqual(
    artifact.map(({ name }) => name),
    ['neural', 'fann', 'proof', 'mesh'],
  )
  for (const row of artifact) assert.ok(row['budget-gzip-bytes'] > 0 && row['budget-raw-bytes'] > 0)
  assert.ok(flags.rustflags.includes('target-feature=+simd128'))
  const reordering = flags['wasm-opt'].filter((flag) => /fast-math|relaxed/.test(flag))
  assert.deepEqual(reordering, [], 'every host computes the same bits')
})
