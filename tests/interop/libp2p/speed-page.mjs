/**
 * js-libp2p in a page, for `npm run bench:net`, as its users set it up: WebSocket, and WebRTC by
 * way of a relay. What is put on `globalThis.tab` is called.
 */
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { webRTC } from '@libp2p/webrtc'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'
import { fetchBulk, serveBulk } from './bulk.mjs'

const LOOK_MS = 20

const create = (listen) =>
  createLibp2p({
    addresses: { listen },
    transports: [
      webSockets(),
      circuitRelayTransport(),
      webRTC({ rtcConfiguration: { iceServers: [] } }),
    ],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    // In a page it dials no private addresses unless told so.
    connectionGater: { denyDialMultiaddr: () => false },
    services: { identify: identify() },
  })

globalThis.tab = {
  /** Gives bytes to whoever asks; resolves to its address, once a relay passes it on. */
  async hold(relay) {
    const peer = await create([`${relay}/p2p-circuit`, '/webrtc'])
    await serveBulk(peer)
    for (;;) {
      const found = peer
        .getMultiaddrs()
        .map(String)
        .find((one) => one.includes('/webrtc'))
      if (found !== undefined) return found
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    }
  },
  fetchFrom: async (address, bytes) => fetchBulk(await create([]), address, bytes),
  async fetchDirectly(address, bytes) {
    const peer = await create(['/webrtc'])
    const ms = await fetchBulk(peer, address, bytes)
    const ways = peer.getConnections().filter(({ limits }) => limits === undefined)
    if (!ways.some(({ multiplexer }) => multiplexer === '/webrtc')) throw new Error('not direct')
    return ms
  },
}
