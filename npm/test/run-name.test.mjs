import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pickRun, requireFreeName, shortRunId } from '../dist/run-name.js'

const runs = [
  { run: 'bafyreiaaaaaaaaaaaaaaaaaa', name: 'digits' },
  { run: 'bafyreibbbbbbbbbbbbbbbbbb', name: 'twice' },
  { run: 'bafyreicccccccccccccccccc', name: 'twice' },
]

test('a run is found by its name, its id and the id that tables show', () => {
  for (const text of ['digits', runs[0].run, shortRunId(runs[0].run)]) {
    assert.equal(pickRun(runs, text), runs[0])
  }
  assert.equal(pickRun(runs, runs[2].run), runs[2])
  assert.equal(pickRun(runs, 'nope'), undefined)
  assert.equal(pickRun(runs, 'b'), undefined)
})

// Two founders chose one name at once, and the last run with the name was taken silently.
test('a name of two runs is refused, with the ids of both', () => {
  assert.throws(() => pickRun(runs, 'twice'), {
    code: 'run-ambiguous',
    message: /bafyreib+, bafyreic+/,
  })
})

test('a name that a run has is refused to another', () => {
  assert.throws(() => requireFreeName(runs, 'digits'), { code: 'run-exists' })
  requireFreeName(runs, 'other')
})
