// Staying connected: who is gone without a word is known to be within five seconds, who says
// goodbye at once, and who stood still for a minute is back within five seconds.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { data, scratch, TestNode } from './cli.mjs'

/** What is promised, in milliseconds from the signal to the event of the other node. */
const NOTICED_MS_MAX = 5_000
/** A word of farewell needs no timer. */
const GOODBYE_MS_MAX = 1_500
/** How long the stopped node stands still. */
const STANDSTILL_MS = 60_000
/** Short of the 3.5 s without a sign of life that are the limit, with a beat that is 1 s old. */
const PAUSE_MS = 1_000

async function node(join) {
  const place = scratch()
  await data(['init', '--home', place, ...(join ? ['--join', join] : [])], { cwd: place })
  return TestNode.start(place, join ? ['--join', join] : [])
}

/** A hub and so many others that came by its link, each connected with each. */
async function network(count) {
  const hub = await node()
  const others = await Promise.all(Array.from({ length: count }, () => node(hub.ready.join)))
  const all = [hub, ...others]
  for (const one of all) {
    for (const other of all) if (other !== one) await change(one, other, 'connected', 0)
  }
  return all
}

/** The next change of a peer's state, of those that a node tells after the first `from` events. */
async function change(teller, peer, state, from) {
  const { nodeId } = peer.ready
  await teller.event('peer', (data) => {
    const at = teller.events.findIndex((event) => event.data === data)
    return at >= from && data.id === nodeId && data.state === state
  })
  return performance.now()
}

const listed = async (teller, peer) =>
  (await teller.api('status')).peers.some(({ id }) => id === peer.ready.nodeId)

/** Sends a signal, and how long each of the others takes to tell that the peer is gone. */
async function noticed(others, gone, signal) {
  const from = others.map(({ events }) => events.length)
  const sent = performance.now()
  gone.child.kill(signal)
  const told = others.map(async (other, at) => {
    const ms = (await change(other, gone, 'disconnected', from[at])) - sent
    assert.equal(await listed(other, gone), false, 'it is off the list')
    return Math.round(ms)
  })
  return Promise.all(told)
}

test('who vanishes without a word is gone within 5 s, who is killed or stops at once', async (t) => {
  const [hub, frozen, killed, stopped, idle] = await network(4)
  for (const [gone, signal, most] of [
    [frozen, 'SIGSTOP', NOTICED_MS_MAX],
    [killed, 'SIGKILL', GOODBYE_MS_MAX],
    [stopped, 'SIGTERM', GOODBYE_MS_MAX],
  ]) {
    const [ms] = await noticed([hub], gone, signal)
    t.diagnostic(`${signal}: ${ms} ms`)
    assert.ok(ms <= most, `${signal}: ${ms} ms`)
  }
  const reasons = hub.events
    .filter(({ event, data }) => event === 'peer' && data.state === 'disconnected')
    .map(({ data }) => data.reason)
  assert.equal(reasons[0], 'no sign of life')
  // The control: nobody is taken for gone who only has nothing to say.
  const parted = ({ event, data }) =>
    event === 'peer' && data.state === 'disconnected' && data.id === idle.ready.nodeId
  assert.deepEqual(hub.events.filter(parted), [])
  assert.equal(await listed(hub, idle), true)
  await frozen.kill()
  await idle.stop()
  await hub.stop()
})

test('a node that stood still for a second is not given up', async () => {
  const [hub, other] = await network(1)
  const before = [hub, other].map(({ events }) => events.length)
  other.child.kill('SIGSTOP')
  await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  other.child.kill('SIGCONT')
  // By then whoever had given up the other would have told it.
  await new Promise((resolve) => setTimeout(resolve, NOTICED_MS_MAX))
  const parted = ({ event, data }) => event === 'peer' && data.state === 'disconnected'
  for (const [at, one] of [hub, other].entries()) {
    assert.deepEqual(one.events.slice(before[at]).filter(parted), [])
  }
  await other.api('status')
  assert.equal(await listed(hub, other), true)
  await other.stop()
  await hub.stop()
})

test('a node that stood still for a minute is back within 5 s: one that calls, and one that is called', async (t) => {
  const [hub, ...others] = await network(2)
  const [caller, third] = others
  for (const [still, watching] of [
    [caller, [hub, third]],
    [hub, [caller, third]],
  ]) {
    const ms = await noticed(watching, still, 'SIGSTOP')
    assert.ok(Math.max(...ms) <= NOTICED_MS_MAX, `gone after ${ms} ms`)
    await new Promise((resolve) => setTimeout(resolve, STANDSTILL_MS - Math.max(...ms)))
    const from = watching.map(({ events }) => events.length)
    const sent = performance.now()
    still.child.kill('SIGCONT')
    const back = watching.map(async (other, at) =>
      Math.round((await change(other, still, 'connected', from[at])) - sent),
    )
    const times = await Promise.all(back)
    t.diagnostic(`${still === hub ? 'called' : 'caller'}: gone after ${ms}, back after ${times} ms`)
    assert.ok(Math.max(...times) <= NOTICED_MS_MAX, `back after ${times} ms`)
  }
  for (const other of [...others, hub]) await other.stop()
})
