// Homes behind routers that let nobody in: they meet through a relay that both can call, and go on
// without it where their routers can be passed.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../node/cli.mjs'
import { Lan, nodeOn, PUBLIC } from '../node/machines.mjs'
import { changed, GONE_MS_MAX, learns, limit, said, together, write } from './mesh.mjs'

const CONNECT_MS_MAX = limit('CONNECT_TIMEOUT_MS')
const settings = { mdns: 'off' }
const lan = new Lan(['hub', 'left', 'right', 'open', 'house', 'flat'], {
  behind: {
    ...{ left: 'symmetric', right: 'symmetric' },
    ...{ house: 'port-restricted', flat: 'port-restricted' },
  },
  needs: ['nft'],
  subnet: PUBLIC,
})
const options = { skip: lan.missing ?? false }

/** How one node lists another. */
const listed = async (at, other) =>
  (await at.api('status')).peers.find(({ id }) => id === other.ready.nodeId)

test('two nodes behind routers reach each other through a relay', options, async (t) => {
  const hub = await nodeOn(lan, 'hub', { settings })
  const link = hub.ready.join
  const reservations = async () => (await hub.api('relay.status')).reservations
  // The control: whoever has a public address needs no relay, and asks for none.
  const open = await nodeOn(lan, 'open', { settings, link })
  await together(hub, open)
  const left = await nodeOn(lan, 'left', { settings, link })
  const right = await nodeOn(lan, 'right', { settings, link })
  const begun = performance.now()
  await Promise.all([together(hub, left), together(hub, right)])
  await until(async () => (await reservations()) === 2, 'both have a reservation', CONNECT_MS_MAX)
  await together(left, right)
  t.diagnostic(`together after ${Math.round(performance.now() - begun)} ms`)
  assert.equal(await reservations(), 2)
  for (const [one, other] of [
    [left, right],
    [right, left],
  ]) {
    const { path, address, channel } = await listed(one, other)
    assert.deepEqual([path, channel], ['relayed', 'hybrid'])
    assert.match(address, /\/p2p-circuit\/p2p\//)
    assert.equal((await listed(one, hub)).path, 'direct')
  }
  await learns(right, [await write(left, 'of-left')], CONNECT_MS_MAX)

  // The control: it is the relay that carried it.
  const from = [left, right].map(said)
  const killed = performance.now()
  await hub.kill()
  const gone = [changed(left, right, 'disconnected', from[0])]
  gone.push(changed(right, left, 'disconnected', from[1]))
  for (const at of await Promise.all(gone)) {
    assert.ok(at - killed <= GONE_MS_MAX, `gone after ${at - killed} ms`)
  }
  await Promise.all([left, right, open].map((node) => node.kill()))
})

test(
  'two nodes whose routers keep one port for one inside need the relay no more',
  options,
  async (t) => {
    const hub = await nodeOn(lan, 'hub', { settings })
    const link = hub.ready.join
    const nodes = [
      await nodeOn(lan, 'house', { settings, link }),
      await nodeOn(lan, 'flat', { settings, link }),
    ]
    const [house, flat] = nodes
    const begun = performance.now()
    await together(house, flat)
    const isDirect = async () => (await listed(house, flat))?.path === 'direct'
    await until(isDirect, 'a direct way', limit('SIGNALLING_TIMEOUT_MS') + CONNECT_MS_MAX)
    t.diagnostic(`a direct way after ${Math.round(performance.now() - begun)} ms`)
    const { transport, channel } = await listed(house, flat)
    assert.deepEqual([transport, channel], ['webrtc', 'hybrid'])
    // The control, of the other test: behind symmetric routers they stay with the relay.
    const from = nodes.map(said)
    await hub.kill()
    await Promise.all(nodes.map((node, at) => changed(node, hub, 'disconnected', from[at])))
    await learns(flat, [await write(house, 'without-relay')], CONNECT_MS_MAX)
    const parted = house.events
      .slice(from[0])
      .filter(
        ({ event, data }) =>
          event === 'peer' && data.id === flat.ready.nodeId && data.state === 'disconnected',
      )
    assert.deepEqual(parted, [])
    await Promise.all(nodes.map((node) => node.kill()))
  },
)
