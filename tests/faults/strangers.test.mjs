// Who sits between two nodes, or calls without being one: garbage, old handshakes, changed ones,
// and less than both offer. Nothing of it makes a connection, all of it ends in time, and whoever
// is a member gets in beside it.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'
import { node } from '../interop/js-peer.mjs'
import { answering, Between, mutter, other, placeOf, say } from './callers.mjs'
import { changed, limit, quiet, said, together } from './mesh.mjs'

const CONNECT_MS_MAX = limit('CONNECT_TIMEOUT_MS')
/** Longest a stranger is listened to: the limit, and what a busy machine adds. */
const STRANGER_MS_MAX = CONNECT_MS_MAX + 2_500
/** Bytes of the flights of the channel, as docs/wire.md has them. */
const FLIGHTS = { first: 1_216, second: 6_622, third: 5_470 }

async function pair(classical = 'refuse') {
  const hub = await node(classical)
  return [hub, await node(classical, hub.ready.network)]
}

/** Calls an address; what was said if that failed, and how long it took. */
async function call(caller, address) {
  const begun = performance.now()
  const failure = await caller.api('peer.connect', { address }).then(
    () => undefined,
    ({ message }) => message,
  )
  return { failure, ms: Math.round(performance.now() - begun) }
}

/** Nobody got in, and both nodes are well: they connect when nobody is between them. */
async function wellAfter(hub, caller) {
  assert.deepEqual((await hub.api('status')).peers, [])
  // What failed at one address is not held against another one of the same node.
  const { failure } = await call(caller, hub.ready.addresses[0])
  assert.equal(failure, undefined, 'the control: an honest call gets through')
  await Promise.all([hub.kill(), caller.kill()])
}

/** A line of multistream-select: its length, the words, the end of the line. */
function line(words) {
  return Buffer.concat([Buffer.from([words.length + 1]), Buffer.from(`${words}\n`)])
}

async function* drip(bytes, everyMs) {
  for (const byte of bytes) {
    yield Buffer.from([byte])
    await quiet(everyMs)
  }
}

describe('strangers', { concurrency: 3 }, () => {
  test('garbage before the handshake, or nothing at all, ends in time', async (t) => {
    const [hub, caller] = await pair()
    const [address] = hub.ready.addresses
    const upgrade = (more) =>
      `GET / HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n${more}`
    const nonce = randomBytes(16).toString('base64')
    const key = `sec-websocket-version: 13\r\nsec-websocket-key: ${nonce}\r\n`
    const negotiation = Buffer.concat([line('/multistream/1.0.0'), line('/synaptic-mesh/hybrid/1')])
    const calls = {
      'a TCP connection that says nothing': mutter(address, []),
      'random bytes instead of HTTP': mutter(address, [randomBytes(4_096)]),
      'half a request': mutter(address, [upgrade(key)]),
      'a request of one byte a second': mutter(address, drip(Buffer.from(upgrade(key)), 1_000)),
      'random bytes instead of frames': mutter(address, [
        `${upgrade(key)}\r\n`,
        randomBytes(4_096),
      ]),
      'a WebSocket that says nothing': say(address, []),
      text: say(address, ['hello']),
      'empty messages': say(address, Array(1_000).fill(Buffer.alloc(0))),
      'a message of 2 MiB': say(address, [Buffer.alloc(2 << 20)]),
      'random bytes': say(address, [randomBytes(65_536)]),
      'a line without an end': say(address, [
        Buffer.from([0xff, 0xff, 0x03]),
        Buffer.alloc(65_536, 97),
      ]),
      'one byte a second': say(address, drip(negotiation, 1_000)),
      'a negotiation without an end': say(address, Array(10_000).fill(line('/nothing/1.0.0'))),
      'a first flight of random bytes': say(address, [negotiation, randomBytes(FLIGHTS.first)]),
      'a first flight, and nothing after': say(address, [
        negotiation,
        randomBytes(FLIGHTS.first - 1),
      ]),
    }
    for (const [what, ended] of Object.entries(calls)) {
      const { ms } = await ended
      t.diagnostic(`${what}: ${ms} ms`)
      assert.ok(ms <= STRANGER_MS_MAX, `${what} was borne for ${ms} ms`)
    }
    await wellAfter(hub, caller)
  })

  test('an old handshake said again is refused on both sides', async (t) => {
    const [hub, caller] = await pair()
    const between = await Between.start(hub)
    assert.equal((await call(caller, between.address)).failure, undefined)
    await together(hub, caller)
    const [{ said: old }] = between.sessions
    await caller.kill()
    await changed(hub, caller, 'disconnected')
    const from = said(hub)
    const again = await say(hub.ready.addresses[0], old.caller)
    t.diagnostic(`the caller's words said again: ended after ${again.ms} ms`)
    assert.ok(again.heard.length > FLIGHTS.second, 'the control: the first flight was answered')
    assert.ok(again.ms <= STRANGER_MS_MAX, `borne for ${again.ms} ms`)
    assert.deepEqual(
      hub.events.slice(from).filter(({ event }) => event === 'peer'),
      [],
    )

    const third = await node('refuse', hub.ready.network)
    const { peer } = placeOf(hub.ready.addresses[0])
    const fooled = await call(third, await answering(old.called, peer))
    t.diagnostic(`the called one's words said again: "${fooled.failure}" after ${fooled.ms} ms`)
    assert.notEqual(fooled.failure, undefined)
    assert.ok(fooled.ms <= STRANGER_MS_MAX, `given up after ${fooled.ms} ms`)
    await wellAfter(hub, third)
  })

  test('a changed bit in any flight, or none that comes, makes no connection', async (t) => {
    const [hub, caller] = await pair()
    const places = [
      ['caller', 0, 'the X25519 key'],
      ['caller', 600, 'the encapsulation key'],
      ['caller', FLIGHTS.first + 3_000, "the caller's proof"],
      ['called', 0, 'the X25519 key of the answer'],
      ['called', 500, 'the ciphertext'],
      ['called', FLIGHTS.second - 3_000, "the called one's proof"],
    ]
    for (const [side, place, what] of places) {
      const between = await Between.start(hub, changing(side, place))
      const { failure, ms } = await call(caller, between.address)
      t.diagnostic(`${what}: "${failure}" after ${ms} ms`)
      assert.notEqual(failure, undefined, what)
      assert.ok(ms <= STRANGER_MS_MAX, `${what}: given up after ${ms} ms`)
      assert.equal(between.sessions[0].isChanged, true, 'the control: a bit was changed')
    }
    const silent = await Between.start(hub, (side, bytes, session) =>
      session.said[side].length > 1 ? [] : [[other(side), bytes]],
    )
    const { failure, ms } = await call(caller, silent.address)
    t.diagnostic(`no second message of either: "${failure}" after ${ms} ms`)
    assert.notEqual(failure, undefined)
    assert.ok(ms <= STRANGER_MS_MAX, `given up after ${ms} ms`)
    await wellAfter(hub, caller)
  })

  test('a changed bit after the handshake ends the connection, and another follows', async (t) => {
    const [hub, caller] = await pair()
    let changes = 0
    const between = await Between.start(hub, (side, bytes) => {
      const isNow = changes === 1 && bytes.length > 20
      if (isNow) {
        changes = 2
        bytes[bytes.length - 1] ^= 1
      }
      return [[other(side), bytes]]
    })
    assert.equal((await call(caller, between.address)).failure, undefined)
    await together(hub, caller)
    const from = [hub, caller].map(said)
    const begun = performance.now()
    changes = 1
    await Promise.all([
      changed(hub, caller, 'disconnected', from[0]),
      changed(caller, hub, 'disconnected', from[1]),
    ])
    const gone = Math.round(performance.now() - begun)
    await changed(hub, caller, 'connected', from[0])
    t.diagnostic(
      `ended after ${gone} ms, connected again after ${Math.round(performance.now() - begun)} ms`,
    )
    assert.equal(changes, 2, 'the control: a bit was changed')
    // The next heartbeat is the latest that is changed.
    assert.ok(gone <= 2 * limit('HEARTBEAT_INTERVAL_MS'), `ended after ${gone} ms`)
    await Promise.all([hub.kill(), caller.kill()])
  })

  test('who strikes out the channel gets no connection, unless both allow it', async (t) => {
    for (const strike of [strikeProposal, strikeAnswer]) {
      const [hub, caller] = await pair()
      const between = await Between.start(hub, strike)
      const { failure, ms } = await call(caller, between.address)
      t.diagnostic(`${strike.name}: "${failure}" after ${ms} ms`)
      assert.notEqual(failure, undefined)
      assert.ok(ms <= STRANGER_MS_MAX, `given up after ${ms} ms`)
      assert.equal(between.sessions[0].isStruck, true, 'the control: it was struck out')
      await wellAfter(hub, caller)
    }
    // The control: the same attack on two that allow classical peers has its way, and it shows.
    const [hub, caller] = await pair('allow')
    const between = await Between.start(hub, strikeAnswer)
    assert.equal((await call(caller, between.address)).failure, undefined)
    await together(hub, caller)
    const [peer] = (await hub.api('status')).peers
    assert.equal(peer.channel, 'classical')
    await Promise.all([hub.kill(), caller.kill()])
  })
})

/** Changes the bit at this place of what a side says after the negotiation. */
function changing(side, place) {
  return (from, bytes, session) => {
    if (from !== side || session.isChanged) return [[other(from), bytes]]
    const before = session.said[side].slice(0, -1)
    const start = afterNegotiation(Buffer.concat([...before, bytes]))
    const at = start + place - Buffer.concat(before).length
    if (start >= 0 && at >= 0 && at < bytes.length) {
      bytes[at] ^= 1
      session.isChanged = true
    }
    return [[other(from), bytes]]
  }
}

/** Where the lines of the negotiation end, -1 before they do. */
function afterNegotiation(bytes) {
  const last = line('/synaptic-mesh/hybrid/1')
  const at = bytes.indexOf(last)
  return at < 0 ? -1 : at + last.length
}

const HYBRID = line('/synaptic-mesh/hybrid/1')

/** What the caller proposes becomes libp2p's noise. */
function strikeProposal(side, bytes, session) {
  const at = side === 'caller' ? bytes.indexOf(HYBRID) : -1
  if (at < 0) return [[other(side), bytes]]
  session.isStruck = true
  const changedBytes = [bytes.subarray(0, at), line('/noise'), bytes.subarray(at + HYBRID.length)]
  return [['called', Buffer.concat(changedBytes)]]
}

/** The caller is told that the called one does not have it, who never hears of it. */
function strikeAnswer(side, bytes, session) {
  const at = side === 'caller' ? bytes.indexOf(HYBRID) : -1
  if (at < 0) return [[other(side), bytes]]
  session.isStruck = true
  const rest = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + HYBRID.length)])
  return [
    ['called', rest],
    ['caller', line('na')],
  ].filter(([, message]) => message.length > 0)
}
