// Peers of another program that got through the handshake and then misbehave, or stop reading. The
// node is left in peace within its limits of time and memory; its members notice nothing.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { forward, JsPeer, node, options } from '../interop/js-peer.mjs'
import { data, scratch, until } from '../node/cli.mjs'
import { changed, learns, limit, residentBytes, rows, said, together, write } from './mesh.mjs'

const SYNC = '/synaptic-mesh/sync/5'
/** Of a stream that does not come to its end, and of a machine that is busy. */
const STREAM_MS_MAX = limit('STREAM_TIMEOUT_MS') + 2_500
/** What libp2p gives a ping after a failed one: it needs a new stream. */
const STREAM_OPEN_MS = 10_000
/** A peer without heartbeats whose pings fail is gone by then. */
const DEAF_MS_MAX =
  limit('PING_FAILURES_MAX') * (limit('PING_INTERVAL_MS') + limit('PING_TIMEOUT_MS')) +
  STREAM_OPEN_MS +
  2_500
/** Bytes that a node may take above what it had: what waits for one peer, and some more. */
const MORE_BYTES_MAX = 64 << 20
/** Some 120 vertices of 4 kB each, by one member. */
const CHATTER = { layers: [64, 4, 10], rounds: 40, epochs: 1, quorum: 1, updatesMin: 1 }

/** A framed message: its length in four bytes, and its bytes. */
function framed(bytes, length = bytes.length) {
  const head = Buffer.alloc(4)
  head.writeUInt32LE(length)
  return Buffer.concat([head, bytes]).toString('hex')
}

describe('peers', { concurrency: true }, () => {
  test('garbage after the handshake', options, async (t) => {
    const hub = await node('allow')
    const { network, addresses } = hub.ready
    const [address] = addresses
    const member = await node('refuse', network)
    assert.equal((await member.api('peer.connect', { address })).id, hub.ready.nodeId)
    await together(hub, member)
    const before = residentBytes(hub.child)
    const table = [
      ['random bytes as a request', framed(randomBytes(1_000)), 8],
      ['a request said to have 4 GiB', framed(Buffer.alloc(100), 2 ** 32 - 1), 8],
      ['half a request', framed(Buffer.alloc(100), 1_000), 8],
      ['nothing', '', 8],
      ['200 streams at once', framed(randomBytes(1_000)), 200],
    ]
    const shouts = table.map(async ([what, bytes, count]) => {
      const place = scratch()
      await data(['init', '--home', place], { cwd: place })
      const js = await JsPeer.start(place, network)
      const { encryption } = await js.do('dial', { address })
      assert.equal(encryption, '/noise', 'the control: the handshake succeeded')
      const { ms, refused } = await js.do('shout', { address, protocol: SYNC, bytes, count })
      t.diagnostic(`${what}: ${ms} ms, ${refused} of ${count} streams refused`)
      assert.ok(ms <= STREAM_MS_MAX, `${what} was borne for ${ms} ms`)
      js.child.kill('SIGKILL')
    })
    await Promise.all(shouts)
    const more = residentBytes(hub.child) - before
    t.diagnostic(`${(more / 2 ** 20).toFixed(1)} MiB more memory`)
    assert.ok(more <= MORE_BYTES_MAX, `${more} bytes more memory`)
    const { peers } = await hub.api('status')
    assert.deepEqual(
      peers.map(({ id }) => id),
      [member.ready.nodeId],
      'nobody else was ever greeted, and the member is there',
    )
    await learns(member, [await write(hub, 'after')], STREAM_MS_MAX)
    await Promise.all([hub.kill(), member.kill()])
  })

  test('a peer without heartbeats that reads nothing any more', options, async (t) => {
    const hub = await node('allow')
    const { network, addresses } = hub.ready
    const [address] = addresses
    const member = await node('refuse', network)
    await member.api('peer.connect', { address })
    // What it is asked before it is known is asked of a node whose transport key it has.
    const behind = await node('allow', network)
    const js = await JsPeer.start(behind.home, network)
    const asker = await JsPeer.start(hub.home, network)
    forward(js, asker, behind.ready.addresses[0])
    forward(asker, js, address)
    await asker.do('dial', { address: behind.ready.addresses[0] })
    await js.do('dial', { address })
    await together(hub, member)
    await changed(hub, behind, 'connected')
    await until(async () => (await js.do('subscribers')).peers.length > 0, 'gossip')

    const before = residentBytes(hub.child)
    const from = said(hub)
    js.child.kill('SIGSTOP')
    const stopped = performance.now()
    const { run } = await hub.api('run.start', { ...CHATTER, name: 'chatter', data: rows(40) })
    const done = async (node) =>
      (await node.api('run.list')).some((one) => one.run === run && one.state === 'finished')
    await until(() => done(member), 'the member has all', DEAF_MS_MAX)
    const told = Math.round(performance.now() - stopped)
    assert.equal(
      (await hub.api('status')).peers.some(({ id }) => id === behind.ready.nodeId),
      true,
      'the control: it was not known to be gone while all that was said',
    )
    const gone = Math.round((await changed(hub, behind, 'disconnected', from)) - stopped)
    const more = residentBytes(hub.child) - before
    t.diagnostic(
      `a member had all after ${told} ms; gone after ${gone} ms; ` +
        `${(more / 2 ** 20).toFixed(1)} MiB more memory`,
    )
    assert.ok(gone <= DEAF_MS_MAX, `gone after ${gone} ms`)
    assert.ok(more <= MORE_BYTES_MAX, `${more} bytes more memory`)
    for (const one of [js, asker]) one.child.kill('SIGKILL')
    await Promise.all([hub, member, behind].map((one) => one.kill()))
  })
})
