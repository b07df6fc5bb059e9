// Bad links between real nodes: slow, lossy, deaf on one side, gone without a word, and others'.
// What the protocol promises about time holds, and what was lost is made up for.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { until } from '../node/cli.mjs'
import { Lan, nodeOn } from '../node/machines.mjs'
import {
  BACK_MS_MAX,
  changed,
  GONE_MS_MAX,
  knows,
  learns,
  limit,
  quiet,
  rows,
  said,
  together,
  write,
} from './mesh.mjs'

const CONNECT_MS_MAX = limit('CONNECT_TIMEOUT_MS')
const REQUEST_MS_MAX = limit('SYNC_REQUEST_MS_MAX')
/** Nothing else than the calls of nodes themselves brings them together. */
const settings = { mdns: 'off' }
const tools = { needs: ['tc', 'nft', 'python3'] }

const [slow, lossy, deaf, dead, moved] = [
  new Lan(['hub', 'far'], { ...tools, longMs: { far: 150 } }),
  new Lan(['hub', 'one', 'two'], tools),
  new Lan(['hub', 'other'], tools),
  new Lan(['hub', 'other', 'idle'], tools),
  new Lan(['hub', 'roamer', 'third'], tools),
]
const options = { skip: slow.missing ?? false }

/** Rounds of one member that take a second to compute, and some megabytes to tell. */
const LARGE = { layers: [64, 512, 512, 10], rounds: 6, epochs: 1, quorum: 1, updatesMin: 1 }

const runOf = async (node, run) => (await node.api('run.list')).find((one) => one.run === run)

/** The first node of a network, and others that came by its link, each connected with each. */
async function members(lan, ...machines) {
  const hub = await nodeOn(lan, 'hub', { settings })
  const link = hub.ready.join
  const others = await Promise.all(machines.map((name) => nodeOn(lan, name, { settings, link })))
  await together(hub, ...others)
  return [hub, ...others]
}

/** What a node told of lost peers after its first `from` events. */
const partings = ({ events }, from = 0) =>
  events.slice(from).filter(({ event, data }) => event === 'peer' && data.state !== 'connected')

const stop = (...nodes) => Promise.all(nodes.map((node) => node.kill()))

describe('links', { concurrency: 3 }, () => {
  test('300 ms there and back: in time, and nobody is taken for gone', options, async (t) => {
    const hub = await nodeOn(slow, 'hub', { settings })
    const run = await write(hub, 'before')
    const { network } = hub.ready
    const far = await nodeOn(slow, 'far', { settings: { ...settings, network } })
    const begun = performance.now()
    await far.api('peer.connect', { address: hub.address(slow.address('hub')) })
    await together(hub, far)
    const met = Math.round(performance.now() - begun)
    const took = await learns(far, [run], REQUEST_MS_MAX)
    t.diagnostic(`connected in ${met} ms, told of a run ${took} ms later`)
    assert.ok(met <= CONNECT_MS_MAX, `connected after ${met} ms`)
    const [peer] = (
      await until(async () => {
        const { peers } = await far.api('status')
        return peers[0]?.rttMs == null ? undefined : { peers }
      }, 'a round trip is measured')
    ).peers
    assert.ok(peer.rttMs >= 300, `the control: a round trip takes ${peer.rttMs} ms`)
    // Longer than a silent peer is borne: heartbeats come late, but they come.
    await quiet(2 * limit('SILENCE_MS_MAX'))
    assert.deepEqual([...partings(hub), ...partings(far)], [])
    await stop(hub, far)
  })

  test('5 % of all packets lost each way: all that was written arrives', options, async (t) => {
    const [hub, one, two] = await members(lossy, 'one', 'two')
    const machines = ['hub', 'one', 'two']
    for (const machine of machines) lossy.drop(machine, 'numgen random mod 100 < 5')
    const runs = []
    for (let n = 0; n < 4; n += 1) {
      for (const author of [hub, one, two]) {
        runs.push(await write(author, `${author.machine}-${n}`))
      }
    }
    const times = []
    for (const node of [hub, one, two]) times.push(await learns(node, runs, REQUEST_MS_MAX))
    await quiet(limit('SILENCE_MS_MAX'))
    const lost = machines.reduce((sum, machine) => sum + lossy.pass(machine), 0)
    t.diagnostic(`${lost} packets lost; all was there ${Math.max(...times)} ms later`)
    assert.ok(lost >= 10, `the control: only ${lost} packets were lost`)
    assert.deepEqual(
      [hub, one, two].flatMap((node) => partings(node)),
      [],
    )
    await stop(hub, one, two)
  })

  test(
    'deaf on one side: both sides know within 5 s, and make up for it after',
    options,
    async (t) => {
      const [hub, other] = await members(deaf, 'other')
      for (const [listener, speaker] of [
        [hub, other],
        [other, hub],
      ]) {
        const from = [hub, other].map(said)
        deaf.drop(listener.machine, `ip saddr ${deaf.address(speaker.machine)}`)
        const cut = performance.now()
        const gone = await Promise.all([
          changed(hub, other, 'disconnected', from[0]),
          changed(other, hub, 'disconnected', from[1]),
        ])
        const after = gone.map((at) => Math.round(at - cut))
        const told = [hub, other].map(said)
        const runs = [
          await write(hub, `hub-${listener.machine}`),
          await write(other, `other-${listener.machine}`),
        ]
        // The control: nothing comes through, for as long as a call may take.
        await quiet(CONNECT_MS_MAX / 4)
        assert.deepEqual([await knows(other, runs[0]), await knows(hub, runs[1])], [false, false])
        const dropped = deaf.pass(listener.machine)
        const healed = performance.now()
        const back = await Promise.all([
          changed(hub, other, 'connected', told[0]),
          changed(other, hub, 'connected', told[1]),
        ])
        const later = back.map((at) => Math.round(at - healed))
        const known = [
          await learns(other, [runs[0]], REQUEST_MS_MAX),
          await learns(hub, [runs[1]], REQUEST_MS_MAX),
        ]
        t.diagnostic(
          `${listener.machine} deaf: gone after ${after} ms, ${dropped} packets dropped, ` +
            `back after ${later} ms, repaired ${known} ms later`,
        )
        assert.ok(dropped > 0, 'the control: packets were dropped')
        // The deaf one's TCP hears of nothing that arrived, and repeats that instead of sending on. So
        // the other hears nothing either, from the first repetition on: within a second.
        const most = GONE_MS_MAX + limit('HEARTBEAT_INTERVAL_MS')
        assert.ok(Math.max(...after) <= most, `gone after ${after} ms`)
        assert.ok(Math.max(...later) <= BACK_MS_MAX, `back after ${later} ms`)
      }
      await stop(hub, other)
    },
  )

  test(
    'a machine that vanishes without a FIN is gone in time, and back in time',
    options,
    async (t) => {
      const [hub, other, idle] = await members(dead, 'other', 'idle')
      const from = [hub, other].map(said)
      dead.cut('other')
      const cut = performance.now()
      const gone = (await changed(hub, other, 'disconnected', from[0])) - cut
      await changed(other, hub, 'disconnected', from[1])
      const listed = (await hub.api('status')).peers.map(({ id }) => id)
      assert.deepEqual(
        listed,
        [idle.ready.nodeId],
        'who vanished is off the list, who idles is not',
      )
      const told = said(hub)
      const run = await write(idle, 'meanwhile')
      const own = await write(other, 'alone')
      await learns(hub, [run], REQUEST_MS_MAX)
      // A call that got no answer fails with a reason that can be acted on.
      const unreached = await until(
        async () =>
          (await other.api('peer.list')).unreached.find(
            ({ address, failures }) => failures > 0 && address.includes(dead.address('hub')),
          ),
        'a call that failed',
        2 * CONNECT_MS_MAX,
      )
      assert.match(unreached.reason, /EHOSTUNREACH|ETIMEDOUT|timed out|in time/i)
      assert.equal(await knows(other, run), false, 'the control: it is off the network')
      dead.mend('other')
      const mended = performance.now()
      const back = (await changed(hub, other, 'connected', told)) - mended
      const repaired = [
        await learns(other, [run], REQUEST_MS_MAX),
        await learns(hub, [own], REQUEST_MS_MAX),
      ]
      t.diagnostic(
        `gone after ${Math.round(gone)} ms, a call failed with "${unreached.reason}", ` +
          `back after ${Math.round(back)} ms, repaired ${repaired} ms later`,
      )
      assert.ok(gone <= GONE_MS_MAX, `gone after ${gone} ms`)
      assert.ok(back <= BACK_MS_MAX, `back after ${back} ms`)
      await stop(hub, other, idle)
    },
  )

  test(
    'another address in the middle of a transfer: found again, and all of it arrives',
    options,
    async (t) => {
      const [hub, third] = await members(moved, 'third')
      const { run } = await hub.api('run.start', { ...LARGE, name: 'large', data: rows(60) })
      await until(async () => (await runOf(hub, run))?.state === 'finished', 'a run of one')
      const whole = (await hub.api('status')).blobs.bytes
      moved.narrow('roamer', '16mbit')
      const link = hub.ready.join
      const roamer = await nodeOn(moved, 'roamer', { settings, link })
      await together(hub, third, roamer)
      const bytes = async () => (await roamer.api('status')).blobs.bytes
      const before = await until(async () => {
        const held = await bytes()
        return held > whole / 8 ? held : undefined
      }, 'the transfer is under way')
      assert.ok(before < whole, `the control: ${before} of ${whole} bytes had arrived`)
      const from = [hub, roamer].map(said)
      moved.move('roamer', 77)
      const left = performance.now()
      const gone = (await changed(hub, roamer, 'disconnected', from[0])) - left
      const back = (await changed(hub, roamer, 'connected', from[0])) - left
      const finished = async () => (await runOf(roamer, run))?.state === 'finished'
      await until(finished, 'the rest of the transfer', 60_000)
      const all = Math.round(performance.now() - left)
      const { address } = (await hub.api('status')).peers.find(
        ({ id }) => id === roamer.ready.nodeId,
      )
      t.diagnostic(
        `${before} of ${whole} bytes before; gone after ${Math.round(gone)} ms, ` +
          `back after ${Math.round(back)} ms, all there after ${all} ms`,
      )
      assert.match(address, /\/10\.77\.0\.77\//, 'it calls from its new address')
      assert.equal(await bytes(), whole)
      assert.ok(gone <= GONE_MS_MAX, `gone after ${gone} ms`)
      assert.ok(back <= GONE_MS_MAX + BACK_MS_MAX, `back after ${back} ms`)
      await stop(hub, third, roamer)
    },
  )
})
