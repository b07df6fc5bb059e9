// js-libp2p beside us: it dials and is dialled, identifies, pings and gossips, over WebSocket, noise
// and yamux. A node that does not allow classical peers has no connection with it.
//
// Two nodes of one network cannot reach each other but through two processes of js-libp2p, each of
// which has the peer id of the other node: see libp2p/peer.mjs.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DIGITS, data, scratch, until } from '../node/cli.mjs'
import { forward, JsPeer, node, options } from './js-peer.mjs'

/** What is started in order to have a vertex. */
const RUN = { data: DIGITS, layers: [64, 8, 10] }
/** Much longer than a connection takes here. */
const QUIET_MS = 3_000

/** Whether a node lists the peer, and how they are connected. */
const listed = async (at, peer) =>
  (await at.api('status')).peers.find(({ id }) => id === peer.ready.nodeId)

test(
  'js-libp2p dials us and is dialled: identify, ping, and gossip both ways',
  options,
  async (t) => {
    const first = await node('allow')
    const { network } = first.ready
    const second = await node('allow', network)
    const [firstAt, secondAt] = [first, second].map(({ ready }) => ready.addresses[0])
    // Neither dials the other, whose peer id is connected already: as js-libp2p's.
    const likeFirst = await JsPeer.start(first.home, network)
    const likeSecond = await JsPeer.start(second.home, network)
    assert.equal(firstAt.endsWith(likeFirst.peer), true, 'it has the peer id of the node')
    forward(likeFirst, likeSecond, firstAt)
    forward(likeSecond, likeFirst, secondAt)

    const dialled = await likeSecond.do('dial', { address: firstAt })
    assert.deepEqual([dialled.encryption, dialled.multiplexer], ['/noise', '/yamux/1.0.0'])
    await second.api('dial', { address: likeFirst.addresses[0] })

    for (const [js, of] of [
      [likeSecond, firstAt],
      [likeFirst, secondAt],
    ]) {
      const identified = await js.event('identified', ({ peer }) => of.endsWith(peer))
      assert.match(identified.agentVersion, /^synaptic-mesh\/\d+\.\d+\.\d+$/)
      assert.equal(identified.protocolVersion, '/synaptic-mesh/1')
      for (const name of ['/ipfs/ping/1.0.0', '/meshsub/1.1.0', '/synaptic-mesh/sync/6']) {
        assert.ok(identified.protocols.includes(name), `${name} in ${identified.protocols}`)
      }
      const { ms } = await js.do('ping', { address: of })
      t.diagnostic(`ping: ${ms} ms`)
      assert.ok(ms >= 0 && ms < 5_000)
    }

    // Both have said hello through js-libp2p, and measure round trips to it themselves.
    for (const [at, other] of [
      [first, second],
      [second, first],
    ]) {
      const peer = await until(async () => {
        const found = await listed(at, other)
        return found?.rttMs === null ? undefined : found
      }, 'a ping of ours that js-libp2p answered')
      assert.equal(peer.channel, 'classical')
    }

    // A vertex of each: out by gossip, into js-libp2p, and by its gossip into the other node.
    for (const [author, from, to, reader] of [
      [first, likeSecond, likeFirst, second],
      [second, likeFirst, likeSecond, first],
    ]) {
      await until(async () => (await to.do('subscribers')).peers.length > 0, 'a subscriber')
      const before = from.events.length
      const { run } = await author.api('run.start', {
        ...RUN,
        name: author === first ? 'first' : 'second',
      })
      const isNew = (said) => from.events.indexOf(said) >= before
      const { bytes } = await from.event('gossip', isNew)
      const known = async () => (await reader.api('run.list')).some((one) => one.run === run)
      assert.equal(await known(), false, 'the control: nothing else brings it')
      const { recipients } = await to.do('publish', { bytes })
      assert.equal(recipients.length, 1)
      await until(known, 'the vertex that js-libp2p published')
    }
    await first.stop()
    await second.stop()
  },
)

test(
  'without `classical` there is no connection with js-libp2p, whoever dials',
  options,
  async () => {
    const strict = await node('refuse')
    const place = scratch()
    await data(['init', '--home', place], { cwd: place })
    const js = await JsPeer.start(place, strict.ready.network)
    await assert.rejects(js.do('dial', { address: strict.ready.addresses[0] }))
    await strict.api('dial', { address: js.addresses[0] })
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS))
    assert.deepEqual((await strict.api('status')).peers, [])
    assert.deepEqual(
      js.events.filter(({ event }) => event === 'identified'),
      [],
    )
    await strict.stop()
  },
)
