// Members on one local network find each other with no configuration: three machines as network
// namespaces on a bridge. Needs root and iproute2, and is skipped without.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Lan, nodeOn } from './machines.mjs'

/** Much longer than the others take to find each other. */
const QUIET_MS = 6_000

const lan = new Lan(['first', 'second', 'third'])
const options = { skip: lan.missing ?? false }

const node = (machine, settings) => nodeOn(lan, machine, { settings })

const met = (teller, other) =>
  teller.event('peer', ({ id, state }) => id === other.ready.nodeId && state === 'connected')

const quiet = () => new Promise((resolve) => setTimeout(resolve, QUIET_MS))
const peersOf = ({ events }) => events.filter(({ event }) => event === 'peer')

test(
  'two nodes of one network find each other, one of another network is left alone',
  options,
  async (t) => {
    const first = await node('first', {})
    const other = await node('third', {})
    const { network } = first.ready
    const begun = performance.now()
    const second = await node('second', { network })
    await Promise.all([met(first, second), met(second, first)])
    t.diagnostic(`${Math.round(performance.now() - begun)} ms from the start of the second`)
    await quiet()
    assert.deepEqual(peersOf(other), [])
    const warnings = [first, second, other].flatMap(({ events }) =>
      events.filter(({ event }) => event === 'warning'),
    )
    assert.deepEqual(warnings, [], 'nobody was called in vain')
    for (const one of [first, second, other]) await one.stop()
  },
)

test('with mdns off a node is not found', options, async () => {
  const first = await node('first', {})
  const { network } = first.ready
  const hidden = await node('second', { network, mdns: 'off' })
  await quiet()
  assert.deepEqual([...peersOf(first), ...peersOf(hidden)], [])
  for (const one of [first, hidden]) await one.stop()
})
