// What becomes of tabs whose relay dies, and of those whose peer lies about the direct way.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { launch, reaches, watch } from '../../www/test/browser/page.mjs'
import { data, scratch, TestNode, until } from '../node/cli.mjs'

const JOIN_TIMEOUT_MS = 30_000
/** Twice what who was refused by a relay waits (RELAY_RETRY_MS). */
const MEET_TIMEOUT_MS = 60_000
/** A killed process closes its sockets; then a circuit through the other relay is made. */
const AGAIN_MS_MAX = 10_000
/** As long as two peers look for a direct way (SIGNALLING_TIMEOUT_MS), and some more. */
const SIGNALLING_MS = 22_000

let browser
before(async () => {
  browser = await launch()
})
after(() => browser?.close())

async function node(link) {
  const place = scratch()
  const join = link === undefined ? [] : ['--join', link]
  await data(['init', '--home', place, ...join], { cwd: place })
  return TestNode.start(place, join)
}

/** A member with a profile of its own, whose page begins with `prelude`. */
async function tab(link, prelude = () => {}) {
  const context = await browser.newContext()
  await context.addInitScript(prelude)
  const page = await context.newPage()
  const complaints = watch(page)
  await page.goto(link)
  await reaches(page, 'joined', JOIN_TIMEOUT_MS)
  return { page, complaints }
}

const withoutWebRtc = () => {
  delete globalThis.RTCPeerConnection
}

const shows = ({ page }, count) =>
  page.locator('[data-peers]', { hasText: new RegExp(`^${count}$`) }).waitFor({
    timeout: MEET_TIMEOUT_MS,
  })

const relayed = ({ page }) =>
  page.getByText('relayed, WebSocket').waitFor({ timeout: MEET_TIMEOUT_MS })

const circuits = async (relay) => (await relay.api('relay.status')).circuits

test('tabs whose relay is killed meet again through another', async (t) => {
  const first = await node()
  const second = await node(first.ready.join)
  const tabs = [
    await tab(first.ready.join, withoutWebRtc),
    await tab(first.ready.join, withoutWebRtc),
  ]
  for (const one of tabs) {
    await shows(one, 3)
    await relayed(one)
  }
  const [serving, other] = (await circuits(first)) > 0 ? [first, second] : [second, first]
  assert.equal((await circuits(serving)) > 0, true, 'the control: it is the one that relays')
  await serving.kill()
  const begun = performance.now()
  await until(async () => (await circuits(other)) > 0, 'a circuit through the other relay')
  for (const one of tabs) {
    await shows(one, 2)
    await relayed(one)
  }
  const ms = Math.round(performance.now() - begun)
  t.diagnostic(`together again after ${ms} ms`)
  assert.ok(ms <= AGAIN_MS_MAX, `together again after ${ms} ms`)
  await other.kill()
})

test('who has turned its relay off lets nobody meet through it, until it is on again', async () => {
  const relay = await node()
  assert.equal((await relay.api('relay.status')).on, true)
  assert.equal((await relay.data('relay', 'off')).status.on, false)
  const link = relay.ready.join
  const tabs = [await tab(link, withoutWebRtc), await tab(link, withoutWebRtc)]
  for (const one of tabs) await shows(one, 1)
  const refused = await relay.api('relay.status')
  assert.deepEqual([refused.reservations, refused.circuits], [0, 0])
  await relay.data('relay', 'on')
  // They ask a relay that refused them again after a while.
  for (const one of tabs) {
    await shows(one, 2)
    await relayed(one)
  }
  await relay.kill()

  const stopped = await relay.data('relay', 'off')
  assert.deepEqual(stopped, { relay: 'off', status: null })
  const again = await TestNode.start(relay.home)
  assert.equal((await again.api('relay.status')).on, false)
  await again.kill()
})

/** Another certificate than the one that DTLS will show. */
const falseCertificate = () => {
  const { get } = Object.getOwnPropertyDescriptor(RTCPeerConnection.prototype, 'localDescription')
  Object.defineProperty(RTCPeerConnection.prototype, 'localDescription', {
    get() {
      const said = get.call(this)
      const sdp = said?.sdp.replace(/(a=fingerprint:sha-256 )([0-9A-F]{2})/, (_all, head, byte) => {
        const other = (Number.parseInt(byte, 16) ^ 1).toString(16).toUpperCase().padStart(2, '0')
        return head + other
      })
      return said && { type: said.type, sdp }
    },
  })
}

/** A description of something that is no data channel. */
const noDescription = () => {
  Object.defineProperty(RTCPeerConnection.prototype, 'localDescription', {
    get: () => ({ type: 'offer', sdp: 'v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\n' }),
  })
}

/** A thousand places at which nobody is. */
const falseCandidates = () => {
  const { set } = Object.getOwnPropertyDescriptor(RTCPeerConnection.prototype, 'onicecandidate')
  Object.defineProperty(RTCPeerConnection.prototype, 'onicecandidate', {
    set(handler) {
      set.call(this, () => {
        for (let n = 0; n < 1_000; n += 1) {
          const place = `10.255.${n >> 8}.${n & 255} 9`
          const candidate = `candidate:${n} 1 udp 2113937151 ${place} typ host`
          const json = { candidate, sdpMid: '0', sdpMLineIndex: 0, usernameFragment: null }
          handler({ candidate: { toJSON: () => json } })
        }
      })
    },
  })
}

// Whoever names a thousand places names its own too, or is found by what it sends.
const LIES = [
  ['a certificate that is not its own', falseCertificate, true],
  ['no description of a data channel', noDescription, true],
  ['a thousand places where nobody is', falseCandidates, false],
]

describe('signalling', { concurrency: true }, () => {
  for (const [what, lie, stays] of LIES) {
    test(`a peer that signals ${what} is no worse than one that does not`, () =>
      meetsLiar(lie, stays))
  }
})

async function meetsLiar(lie, stays) {
  const hub = await node()
  const link = hub.ready.join
  const liar = await tab(link, lie)
  const honest = await tab(link)
  const other = await tab(link)
  for (const one of [liar, honest, other]) await shows(one, 3)
  // The control: the two honest ones have a direct way meanwhile.
  const direct = ({ page }) => page.getByText('direct, WebRTC')
  const timeout = JOIN_TIMEOUT_MS
  for (const one of [honest, other]) await direct(one).first().waitFor({ timeout })
  await new Promise((resolve) => setTimeout(resolve, SIGNALLING_MS))
  for (const one of [honest, other]) {
    assert.equal(await one.page.locator('[data-peers]').textContent(), '3', 'nobody is gone')
    if (!stays) continue
    assert.equal(await direct(one).count(), 1, 'one direct way, to each other')
    await relayed(one)
  }
  if (stays) assert.equal(await direct(liar).count(), 0)
  await hub.kill()
}
