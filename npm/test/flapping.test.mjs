// Peers that come and go without end are told once, and others not at all.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Flapping } from '../dist/host/flapping.js'

const lost = (id, reason = 'connection is closed') => ({
  type: 'peer',
  id,
  transport: 'ws',
  state: 'disconnected',
  reason,
})

test('four losses within a minute are one warning, and it is not repeated at once', () => {
  let now = 0
  const flapping = new Flapping(() => now)
  const told = []
  for (let turn = 0; turn < 20; turn += 1) {
    now += 2_000
    flapping.observe({ type: 'peer', id: 'a', transport: 'ws', state: 'connected', address: '' })
    const warning = flapping.observe(lost('a'))
    if (warning !== undefined) told.push([turn, warning.code])
    assert.equal(flapping.isFlapping('a'), turn >= 3)
  }
  assert.deepEqual(told, [[3, 'peer-flaps']])
  now += 61_000
  assert.equal(flapping.isFlapping('a'), false, 'it has come to rest')
  now += 600_000
  for (let turn = 0; turn < 3; turn += 1) assert.equal(flapping.observe(lost('a')), undefined)
  assert.equal(flapping.observe(lost('a'))?.code, 'peer-flaps', 'and begins again')
})

test('a peer on a bad line is none that flaps, and peers are counted apart', () => {
  let now = 0
  const flapping = new Flapping(() => now)
  for (let turn = 0; turn < 50; turn += 1) {
    now += 21_000
    assert.equal(flapping.observe(lost('slow')), undefined)
  }
  for (const id of ['a', 'b', 'c', 'd']) assert.equal(flapping.observe(lost(id)), undefined)
})

test('an identity that calls twice is named as one that runs twice', () => {
  const flapping = new Flapping(() => 0)
  const said = Array.from({ length: 4 }, () =>
    flapping.observe(lost('twice', 'replaced by a newer connection')),
  )
  assert.match(said.at(-1).message, /^twice .*a copy of its home/)
})
