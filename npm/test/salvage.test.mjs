// A damaged store is never taken for one that has had less: an identity would sign a place twice.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { hex, salvage } from '../dist/host/salvage.js'
import { SqliteStore } from '../dist/host/store.js'

const folder = mkdtempSync(join(tmpdir(), 'synaptic-mesh-salvage-'))
after(() => rmSync(folder, { recursive: true, force: true }))

/** A deterministic stream of numbers below 2^32 (Numerical Recipes' generator). */
function numbers(seed) {
  let state = seed >>> 0
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state >>> 8
  }
}

function filled() {
  const next = numbers(7)
  const bytes = (length) => Uint8Array.from({ length }, () => next())
  const store = SqliteStore.open(folder)
  const records = (table, count, key, value) =>
    Array.from({ length: count }, () => [table, bytes(key), bytes(value())])
  const vertices = records('vertices', 150, 32, () => 3_000 + (next() % 6_000))
  store.apply(vertices)
  store.apply(records('meta', 40, 12, () => next() % 500))
  store.apply(records('blobs', 20, 32, () => next() % 9_000))
  // Dropped ones leave free pages behind.
  store.apply(vertices.slice(0, 30).map(([table, key]) => [table, key, null]))
  store.settle()
  store.close()
  return vertices.slice(30).map(([, key]) => hex(key))
}

test('whatever is damaged, no vertex that was there is passed over in silence', () => {
  const had = filled()
  const file = join(folder, 'mesh.db')
  const whole = readFileSync(file)
  const outcomes = new Map()
  const pages = whole.length / 4_096
  assert.deepEqual(salvage(folder).keys, had.toSorted())
  const seeds = process.env.SEED === undefined ? 240 : 1
  for (let at = 0; at < seeds; at += 1) {
    const seed = Number(process.env.SEED ?? at)
    const next = numbers(seed * 2_654_435_761)
    const bytes = Buffer.from(whole)
    const place = (next() % pages) * 4_096
    // A page that is gone, a torn one, single bytes in its head, single bytes anywhere.
    if (seed % 4 === 0) bytes.fill(next(), place, place + 4_096)
    if (seed % 4 === 1) bytes.copy(bytes, place, (next() % pages) * 4_096, place + 2_048)
    if (seed % 4 === 2) bytes[place + (next() % 16)] ^= 1 << (next() % 8)
    for (let flip = 0; seed % 4 === 3 && flip < 8; flip += 1) {
      bytes[next() % bytes.length] ^= 1 << (next() % 8)
    }
    for (const suffix of ['-wal', '-shm']) rmSync(file + suffix, { force: true })
    writeFileSync(file, bytes)
    const outcome = outcomeOf(had)
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    assert.notEqual(outcome, 'less', `SEED=${seed}`)
  }
  if (process.env.SEED !== undefined) return
  console.log('outcomes:', Object.fromEntries(outcomes))
  assert.ok(outcomes.get('all') > 60, 'most damage is in rows, and their keys are there')
  assert.ok(outcomes.get('refused') > 0, 'the control: some damage is seen to be too much')
})

/** `more` has keys that were not there: nobody can have their vertices, so nothing comes of it. */
function outcomeOf(had) {
  try {
    const { keys } = salvage(folder)
    const known = new Set(keys)
    if (had.every((key) => known.has(key))) return 'all'
    const were = new Set(had)
    return keys.every((key) => were.has(key)) ? 'less' : 'more'
  } catch (thrown) {
    assert.match(thrown.code, /^(repair-impossible|storage-)/, thrown.stack)
    return 'refused'
  }
}
