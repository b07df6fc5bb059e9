/**
 * js-libp2p for `npm run bench:net`, with what benches/net/ours.mjs has: WebSocket, noise, yamux.
 * What each role does stands at its function. All but `dial` and `fetch` stay until they are ended.
 */
import { createInterface } from 'node:readline'
import { circuitRelayServer } from '@libp2p/circuit-relay-v2'
import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { fetchBulk, serveBulk } from './bulk.mjs'

const LISTEN = ['/ip4/127.0.0.1/tcp/0/ws']
const TOPIC = 'bench'
const TEXT_BYTES = 1_000
/** Messages before anything is timed, for which the engine compiles (count). */
const WARMING = 60
const [role, ...args] = process.argv.slice(2)
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`)
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
/** All processes of a machine have this clock in common (milliseconds). */
const now = () => Number(process.hrtime.bigint()) / 1e6

const create = (listen, services = {}) =>
  createLibp2p({
    addresses: { listen },
    transports: [webSockets()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    // It takes five connections of one host per second otherwise.
    connectionManager: { inboundConnectionThreshold: 1_000 },
    services: { identify: identify(), ...services },
  })

/** Answers each line of stdin. */
async function answering(answers) {
  for await (const word of createInterface({ input: process.stdin })) {
    const [name, ...given] = word.split(' ')
    say(await answers[name](...given))
  }
}

const cost = () => ({ cpu: process.cpuUsage(), rss: process.memoryUsage().rss })
const addressOf = (peer) => String(peer.getMultiaddrs()[0])

/** `listen`: says its address. */
async function listen() {
  const peer = await create(LISTEN)
  say({ address: addressOf(peer) })
  await answering({ cost })
}

/**
 * `dial ADDRESS COUNT`: how long each of so many new peers takes until it was told who answered.
 */
async function dial(address, count) {
  const times = []
  for (let n = 0; n < Number(count); n += 1) {
    const peer = await create([])
    const identified = new Promise((resolve) => peer.addEventListener('peer:identify', resolve))
    const begun = performance.now()
    await peer.dial(multiaddr(address))
    await identified
    times.push(performance.now() - begun)
    await peer.stop()
  }
  say({ times })
}

/** `hold`: gives bytes to whoever asks, and relays for pages. */
async function hold() {
  const relay = circuitRelayServer({ reservations: { applyDefaultLimit: false } })
  const peer = await create(LISTEN, { relay })
  await serveBulk(peer)
  say({ address: addressOf(peer) })
  await answering({ cost })
}

/** `fetch ADDRESS BYTES`: how long it takes to have them. */
async function fetchHeld(address, bytes) {
  const peer = await create([])
  say({ ms: await fetchBulk(peer, address, Number(bytes)) })
}

/** Messages are signed, as they are by default, and as vertices are. */
const gossips = (listening) => create(listening, { gossip: gossipsub() })

/** `hear`: says its address. `came`: when each message was called for, and when it came. */
async function hear() {
  const peer = await gossips(LISTEN)
  const came = []
  peer.services.gossip.addEventListener('message', ({ detail }) => {
    const { data } = detail
    const called = new DataView(data.buffer, data.byteOffset).getFloat64(0)
    if (called > 0 && data.length === TEXT_BYTES) came.push([called, now()])
  })
  peer.services.gossip.subscribe(TOPIC)
  say({ address: addressOf(peer) })
  await answering({ came: () => came })
}

/**
 * `tell ADDRESS`: publishes messages of 1 KB, some at once, and then as many as `go COUNT BATCH
 * EVERY` says, a batch at a time, so many milliseconds apart.
 */
async function tell(address) {
  const peer = await gossips([])
  const { gossip } = peer.services
  gossip.subscribe(TOPIC)
  await peer.dial(multiaddr(address))
  const publish = (due) => {
    const data = new Uint8Array(TEXT_BYTES)
    new DataView(data.buffer).setFloat64(0, due)
    return gossip.publish(TOPIC, data, { allowPublishToZeroTopicPeers: true })
  }
  while ((await publish(0)).recipients.length === 0) await pause(50)
  for (let n = 1; n < WARMING; n += 1) await publish(0)
  say({})
  await answering({ go: (...numbers) => told(publish, ...numbers.map(Number)) })
}

/** Each counts from when it was due, also when it had to wait for others to be sent. */
async function told(publish, count, batch, everyMs) {
  const begun = now()
  for (let n = 0; n < count; n += 1) {
    const due = everyMs === 0 ? begun : begun + Math.floor(n / batch) * everyMs
    while (now() < due) await pause(1)
    await publish(due)
  }
  return { sent: count }
}

const roles = { listen, dial, hold, fetch: fetchHeld, hear, tell }
await roles[role](...args)
process.exit()
