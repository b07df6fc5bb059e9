/** js-libp2p in a page, for tests: what is put on `globalThis.js` is called. */
import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { peerIdFromString } from '@libp2p/peer-id'
import { ping } from '@libp2p/ping'
import { multiaddr } from '@multiformats/multiaddr'
import { createInPage } from './in-page.mjs'

/** In the order in which they came. */
const identified = []
const gossip = []
let peer
let topic
/** It calls nobody any more. */
let alone = false

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
const connectionsTo = (id) => peer.getConnections(peerIdFromString(id))

/** A connection in words. */
const told = (connection) => ({
  way: connection.remoteAddr.toString(),
  direction: connection.direction,
  limited: connection.limits !== undefined,
  multiplexer: connection.multiplexer,
  encryption: connection.encryption ?? null,
  inbound: connection.streams
    .filter(({ direction }) => direction === 'inbound')
    .map(({ protocol }) => protocol),
})

globalThis.js = {
  /** Starts, with a reservation at `relay`; resolves to the peer id. */
  async start(relay, network) {
    topic = `synaptic-mesh/${network}/vertices/1`
    const services = {
      identify: identify(),
      ping: ping(),
      gossip: gossipsub({ globalSignaturePolicy: 'StrictNoSign' }),
    }
    peer = await createInPage([`${relay}/p2p-circuit`, '/webrtc'], services, () => alone)
    peer.addEventListener('peer:identify', ({ detail }) => {
      const { peerId, agentVersion, protocols, connection } = detail
      const way = connection.remoteAddr.toString()
      identified.push({ peer: peerId.toString(), agentVersion, protocols, way })
    })
    peer.services.gossip.addEventListener('message', ({ detail }) => {
      if (detail.topic === topic) gossip.push(hex(detail.data))
    })
    peer.services.gossip.subscribe(topic)
    return peer.peerId.toString()
  },
  addresses: () => peer.getMultiaddrs().map(String),
  identified: () => identified,
  gossip: () => gossip,
  connections: (id) => connectionsTo(id).map(told),
  dial: async (address) => told(await peer.dial(multiaddr(address))),
  ping: (id) => peer.services.ping.ping(peerIdFromString(id)),
  subscribers: () => peer.services.gossip.getSubscribers(topic).map(String),
  publish: async (bytes) => {
    const { recipients } = await peer.services.gossip.publish(topic, Uint8Array.from(bytes))
    return recipients.map(String)
  },
  /** Parts from a peer, and calls nobody after that. */
  async part(id) {
    alone = true
    await peer.hangUp(peerIdFromString(id))
  },
}
