// The control API's commands on a node that is none: which peer is meant by the beginning of an id.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { controlTarget } from '../dist/host/commands.js'

/** A node with these peers and bans, and what was done with whom. */
function target(connected, banned) {
  const done = []
  const note = (what) => async (id) => void done.push([what, id])
  const orders = ['disconnect', 'ban', 'unban', 'ping'].map((what) => [what, note(what)])
  const status = async () => ({ peers: connected.map((id) => ({ id })), banned })
  const node = { status, ...Object.fromEntries(orders) }
  const { call } = controlTarget(node, { stop: () => undefined, dashboard: '' })
  return { done, order: (what, peer) => call(`peer.${what}`, { peer }) }
}

// "peer unban ab" was refused as ambiguous when a connected peer began with "ab" as well.
test('a ban is taken back from who is banned, everything else is done with who is connected', async () => {
  const { done, order } = target(['abc'], ['abd'])
  for (const what of ['disconnect', 'ban', 'unban', 'ping']) await order(what, 'ab')
  assert.deepEqual(done, [
    ['disconnect', 'abc'],
    ['ban', 'abc'],
    ['unban', 'abd'],
    ['ping', 'abc'],
  ])
})

test('two that begin alike are told apart by more of the id, and a whole id is enough', async () => {
  const { done, order } = target(['abc', 'abd'], ['xyz', 'xyy'])
  await assert.rejects(order('ping', 'ab'), { code: 'usage' })
  await assert.rejects(order('unban', 'xy'), { code: 'usage' })
  await order('ping', 'abd')
  await order('ban', 'somebody-else')
  assert.deepEqual(done, [
    ['ping', 'abd'],
    ['ban', 'somebody-else'],
  ])
})
