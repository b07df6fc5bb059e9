// The symbolic model of the channel is proved by a tool that is not at hand everywhere, so its log
// is kept. This holds the log to the model: the very files, every run, every verdict.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { FILES, files, HERE, RUNS, sha256, verdicts } from '../model/channel/runs.mjs'

const LOG = readFileSync(join(HERE, 'channel.log'), 'utf8')
const AGAIN = 'the model was changed after its log: node tests/model/channel/run.mjs'

test('the log of the symbolic model is of the files that are here', () => {
  const logged = [...LOG.matchAll(/^([0-9a-f]{64}) {2}(.+)$/gm)].map(([, hash, path]) => [
    path,
    hash,
  ])
  assert.deepEqual(
    logged,
    FILES.map((path) => [path, sha256(path)]),
    AGAIN,
  )
})

test('the log of the symbolic model has every run with the verdicts that it must have', () => {
  const sections = LOG.split('\n# ').slice(1)
  assert.deepEqual(
    sections.map((section) => section.split('\n', 1)[0]),
    RUNS.map(({ name }) => name),
    AGAIN,
  )
  for (const [at, run] of RUNS.entries()) {
    assert.ok(
      sections[at].includes(
        files(run)
          .join(' -lib ')
          .replace(/ -lib (\S+\.pv)$/, ' $1'),
      ),
      run.name,
    )
    assert.deepEqual(verdicts(sections[at]), run.expected, run.name)
  }
})

test('every file of the symbolic model is used by a run', () => {
  const used = new Set(RUNS.flatMap(files))
  assert.deepEqual(
    FILES.filter((path) => !used.has(path)),
    [],
  )
})
