// More connections than a node takes, all from one address: it stays within its memory and its
// time, keeps the peers that it has, and takes in whoever calls from elsewhere.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { data, scratch, TestNode, until } from '../node/cli.mjs'
import { Flood } from './callers.mjs'
import { changed, limit, residentBytes, together } from './mesh.mjs'

const CONNECT_MS_MAX = limit('CONNECT_TIMEOUT_MS')
const COUNT = 10_000
/** More than a node holds of everybody. */
const AT_ONCE = 300
/** Bytes that a node may take above what it had: some 100 kB for each socket that it holds. */
const MORE_BYTES_MAX = 64 << 20
/** Of the calls of a command while the node is called ten thousand times. */
const ANSWER_MS_MAX = 2_000

/** A node that comes by a link, or of a network of which it knows nobody. */
async function node(link, network) {
  const place = scratch()
  const join = link === undefined ? [] : ['--join', link]
  await data(['init', '--home', place, ...join], { cwd: place })
  if (network !== undefined) {
    await data(['config', 'set', 'network', network, '--home', place], { cwd: place })
  }
  return TestNode.start(place, join)
}

test('10,000 connections from one address', async (t) => {
  const hub = await node()
  const peer = await node(hub.ready.join)
  await together(hub, peer)
  const newcomer = await node(undefined, hub.ready.network)
  const before = residentBytes(hub.child)
  const [address] = hub.ready.addresses
  const flood = new Flood(address, { localAddress: '127.0.0.2', count: COUNT, atOnce: AT_ONCE })
  await until(() => flood.opened > 2 * AT_ONCE, 'the flood is there')
  const begun = performance.now()
  await newcomer.api('peer.connect', { address })
  await changed(hub, newcomer, 'connected')
  const met = Math.round(performance.now() - begun)
  const { opened } = flood
  let slowest = 0
  let most = 0
  const over = flood.over.then(() => true)
  while (!(await Promise.race([over, new Promise((resolve) => setTimeout(resolve, 200))]))) {
    const asked = performance.now()
    await hub.api('status')
    slowest = Math.max(slowest, Math.round(performance.now() - asked))
    most = Math.max(most, residentBytes(hub.child))
  }
  const more = ((most - before) / 2 ** 20).toFixed(1)
  t.diagnostic(
    `${flood.opened} connections in ${Math.round((performance.now() - begun) / 1_000)} s, ` +
      `a newcomer came in after ${met} ms; the slowest answer took ${slowest} ms; ` +
      `${more} MiB more memory`,
  )
  assert.equal(flood.opened, COUNT)
  assert.ok(opened < COUNT, 'the control: it was under way when the newcomer came in')
  assert.ok(flood.peak > AT_ONCE / 2, `the control: at most ${flood.peak} connections at a time`)
  assert.ok(met <= CONNECT_MS_MAX, `a newcomer came in after ${met} ms`)
  assert.ok(slowest <= ANSWER_MS_MAX, `the slowest answer took ${slowest} ms`)
  assert.ok(most - before <= MORE_BYTES_MAX, `${more} MiB more memory`)
  const parted = ({ event, data: of }) => event === 'peer' && of.state === 'disconnected'
  assert.deepEqual(hub.events.filter(parted), [])
  await Promise.all([hub, peer, newcomer].map((one) => one.kill()))
})
