// Behind routers: whoever can be called is called, whoever cannot hears of everything all the same,
// and a call that must fail says so.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Lan, nodeOn } from '../node/machines.mjs'
import { changed, GONE_MS_MAX, learns, limit, said, together, write } from './mesh.mjs'

const CONNECT_MS_MAX = limit('CONNECT_TIMEOUT_MS')
const settings = { mdns: 'off' }
const lan = new Lan(['hub', 'cone', 'symmetric', 'outsider'], {
  behind: { cone: 'full-cone', symmetric: 'symmetric' },
  needs: ['nft'],
})
const options = { skip: lan.missing ?? false }

/** Where the router of a machine lets others call it, if it does. */
function outside(node) {
  const inside = node.address(lan.address(node.machine))
  return inside.replace(lan.address(node.machine), lan.address(`${node.machine}-router`))
}

/** Calls an address; how long that took, and what was said if it failed. */
async function call(node, address) {
  const begun = performance.now()
  const failure = await node.api('peer.connect', { address }).then(
    () => undefined,
    ({ message }) => message,
  )
  return { failure, ms: Math.round(performance.now() - begun) }
}

test('behind a full cone and behind a symmetric router', options, async (t) => {
  const hub = await nodeOn(lan, 'hub', { settings })
  const link = hub.ready.join
  const cone = await nodeOn(lan, 'cone', { settings, link })
  const symmetric = await nodeOn(lan, 'symmetric', { settings, link })
  await Promise.all([together(hub, cone), together(hub, symmetric)])

  // Neither can call the other at the address that it knows of itself; the hub passes all on.
  const runs = [await write(cone, 'of-cone'), await write(symmetric, 'of-symmetric')]
  const heard = [
    await learns(symmetric, [runs[0]], CONNECT_MS_MAX),
    await learns(cone, [runs[1]], CONNECT_MS_MAX),
  ]
  const met = (node) =>
    node.events.some(
      ({ event, data }) =>
        event === 'peer' && data.id === (node === cone ? symmetric : cone).ready.nodeId,
    )
  assert.deepEqual([met(cone), met(symmetric)], [false, false], 'the control: only through the hub')
  t.diagnostic(`heard of each other's runs after ${heard} ms`)

  // A symmetric router lets in nobody who was not called; a full cone lets in everybody.
  const { network } = hub.ready
  const outsider = await nodeOn(lan, 'outsider', { settings: { ...settings, network } })
  const refused = await call(outsider, outside(symmetric))
  const taken = await call(outsider, outside(cone))
  const through = await call(symmetric, outside(cone))
  t.diagnostic(`to the symmetric one: "${refused.failure}" after ${refused.ms} ms`)
  t.diagnostic(`to the cone after ${taken.ms} ms, and from the symmetric one ${through.ms} ms`)
  assert.match(refused.failure ?? 'connected', /timed out/)
  assert.ok(refused.ms <= limit('DIAL_TIMEOUT_MS'), `said after ${refused.ms} ms`)
  assert.deepEqual([taken.failure, through.failure], [undefined, undefined])
  await Promise.all([together(cone, symmetric), together(cone, outsider)])

  // So the two go on when the hub is gone.
  const from = [cone, symmetric].map(said)
  const killed = performance.now()
  await hub.kill()
  for (const [at, node] of [cone, symmetric].entries()) {
    const ms = (await changed(node, hub, 'disconnected', from[at])) - killed
    assert.ok(ms <= GONE_MS_MAX, `gone after ${ms} ms`)
  }
  await learns(cone, [await write(symmetric, 'without-hub')], CONNECT_MS_MAX)
  await Promise.all([cone, symmetric, outsider].map((node) => node.kill()))
})
