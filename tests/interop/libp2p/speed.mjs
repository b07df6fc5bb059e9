/**
 * js-libp2p for `npm run bench -- net`, with what benches/net/ours.mjs has: WebSocket, noise, yamux.
 *
 * `speed.mjs listen` says its address, and for each line of stdin what it has cost so far.
 * `speed.mjs dial ADDRESS COUNT` says how long each of so many new peers took until it had dialled
 * and was told who answered (milliseconds).
 */
import { createInterface } from 'node:readline'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'

const [role, address, count] = process.argv.slice(2)
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`)

const create = (listen) =>
  createLibp2p({
    addresses: { listen },
    transports: [webSockets()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    // It takes five connections of one host per second otherwise.
    connectionManager: { inboundConnectionThreshold: 1_000 },
    services: { identify: identify() },
  })

async function listen() {
  const peer = await create(['/ip4/127.0.0.1/tcp/0/ws'])
  say({ address: String(peer.getMultiaddrs()[0]) })
  for await (const _ of createInterface({ input: process.stdin })) {
    say({ cpu: process.cpuUsage(), rss: process.memoryUsage().rss })
  }
  await peer.stop()
}

async function dial() {
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

await (role === 'listen' ? listen() : dial())
process.exit()
