// js-libp2p and a tab of ours, each in a Chromium page with a profile of its own: they meet through
// a Node node of ours, agree upon a direct way (libp2p's specification `webrtc`), and use it.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { launch } from '../../www/test/browser/page.mjs'
import { DIGITS, until } from '../node/cli.mjs'
import { node, options } from './js-peer.mjs'
import { site } from './site.mjs'

/** Two hosts on one machine find each other in a fraction of it; a node gives up after 20 s. */
const DIRECT_MS_MAX = 10_000
const PING = '/ipfs/ping/1.0.0'

let browser
let pages
before(async () => {
  if (options.skip) return
  pages = await site()
  browser = await launch()
})
after(async () => {
  await browser?.close()
  pages?.close()
})

/** A page in a profile of its own; what is asked of it is asked of its object of that name. */
async function page(name, object, prelude = () => {}) {
  const context = await browser.newContext()
  await context.addInitScript(prelude)
  const opened = await context.newPage()
  opened.on('pageerror', (error) => process.stderr.write(`${name}: ${error}\n`))
  await opened.goto(`${pages.origin}/${name}.html`)
  await opened.waitForFunction((one) => globalThis[one] !== undefined, object)
  return new Proxy(
    {},
    {
      get: (_, method) =>
        method === 'then'
          ? undefined
          : (...args) =>
              opened.evaluate(
                ([one, called, given]) => globalThis[one][called](...given),
                [object, method, args],
              ),
    },
  )
}

/** A relay of ours, a tab of ours and js-libp2p, which know the relay and not each other. */
async function three(classical, prelude) {
  const relay = await node('allow')
  const [at] = relay.ready.addresses
  const { network } = relay.ready
  const [tab, js] = [await page('ours', 'ours', prelude), await page('page', 'js')]
  const { peerId } = await tab.start({ network, classical, bootstrap: [at] })
  await until(async () => (await relay.api('relay.status')).reservations === 1, 'a reservation')
  const jsId = await js.start(at, network)
  await until(async () => (await js.addresses()).length > 0, 'a reservation of js-libp2p')
  return { relay, tab, js, tabId: peerId, jsId, way: `${at}/p2p-circuit/webrtc/p2p/` }
}

const isDirect = ({ limited, way }) => !limited && way.includes('/webrtc')

/** What js-libp2p's only connection with the tab is, once it is direct. */
async function direct(js, tabId) {
  return until(
    async () => {
      const all = await js.connections(tabId)
      return all.length === 1 && isDirect(all[0]) ? all[0] : undefined
    },
    'one direct connection',
    DIRECT_MS_MAX,
  )
}

/**
 * Identify, pings and gossip both ways, over the direct connection alone: js-libp2p parts from the
 * relay, and a run that is started there reaches it through the tab.
 */
async function speak(t, { relay, js, tab, tabId }) {
  const relayId = relay.ready.addresses[0].split('/').at(-1)
  await js.part(relayId)
  const said = await until(
    async () =>
      (await js.identified()).find(({ peer, way }) => peer === tabId && way.includes('/webrtc')),
    'identify over the direct connection',
    DIRECT_MS_MAX,
  )
  assert.match(said.agentVersion, /^synaptic-mesh\/\d+\.\d+\.\d+$/)
  for (const name of [PING, '/meshsub/1.1.0', '/synaptic-mesh/sync/6']) {
    assert.ok(said.protocols.includes(name), `${name} in ${said.protocols}`)
  }
  const ms = await js.ping(tabId)
  t.diagnostic(`ping: ${ms} ms`)
  assert.ok(ms >= 0 && ms < 5_000, `${ms}`)
  const pinged = async () => (await js.connections(tabId))[0]?.inbound.includes(PING)
  await until(pinged, 'a ping of ours', DIRECT_MS_MAX)

  await until(async () => (await js.subscribers()).includes(tabId), 'a subscriber', DIRECT_MS_MAX)
  assert.deepEqual(await js.gossip(), [], 'the control: nothing was said yet')
  assert.deepEqual(await js.connections(relayId), [], 'the control: nobody else says it')
  await relay.api('run.start', { data: DIGITS, layers: [64, 8, 10], name: 'run' })
  await until(async () => (await js.gossip()).length > 0, 'what the tab passed on', DIRECT_MS_MAX)
  // The tab takes nothing from whom it does not know, but it says that something came.
  const came = async () => (await tab.counters())['gossip-before-hello'] ?? 0
  assert.equal(await came(), 0)
  assert.deepEqual(await js.publish([1, 2, 3]), [tabId])
  await until(async () => (await came()) === 1, 'what js-libp2p published', DIRECT_MS_MAX)
}

test(
  'js-libp2p in a page dials a tab over WebRTC: identify, ping and gossip',
  options,
  async (t) => {
    const all = await three('allow')
    const begun = performance.now()
    const dialled = await all.js.dial(all.way + all.tabId)
    t.diagnostic(`dialled in ${Math.round(performance.now() - begun)} ms`)
    assert.equal(isDirect(dialled), true, JSON.stringify(dialled))
    assert.deepEqual([dialled.direction, dialled.multiplexer], ['outbound', '/webrtc'])
    await direct(all.js, all.tabId)
    await speak(t, all)
    await all.relay.stop()
  },
)

test(
  'a tab dials js-libp2p in a page over WebRTC: identify, ping and gossip',
  options,
  async (t) => {
    const all = await three('allow')
    const begun = performance.now()
    await all.tab.dial(all.way + all.jsId)
    const found = await direct(all.js, all.tabId)
    t.diagnostic(`direct after ${Math.round(performance.now() - begun)} ms`)
    assert.deepEqual([found.direction, found.multiplexer], ['inbound', '/webrtc'])
    await speak(t, all)
    await all.relay.stop()
  },
)

test('a tab that refuses classical peers is not reached by js-libp2p', options, async () => {
  const { relay, js, way, tabId } = await three('refuse')
  await assert.rejects(js.dial(way + tabId))
  assert.deepEqual(await js.connections(tabId), [])
  await relay.stop()
})

/** As in a browser that cannot transfer data channels to a worker. */
const withoutTransfer = () => {
  const post = MessagePort.prototype.postMessage
  MessagePort.prototype.postMessage = function (message, transfer = []) {
    if (transfer.some?.((one) => one instanceof RTCDataChannel)) {
      throw new DOMException('not here', 'DataCloneError')
    }
    return post.call(this, message, transfer)
  }
}

test('where data channels stay on the page it is the same', options, async (t) => {
  const all = await three('allow', withoutTransfer)
  assert.equal(isDirect(await all.js.dial(all.way + all.tabId)), true)
  await direct(all.js, all.tabId)
  await speak(t, all)
  await all.relay.stop()
})
