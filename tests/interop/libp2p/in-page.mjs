/** js-libp2p in a page, as its users set it up: WebSocket, circuits through a relay, and WebRTC. */
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { noise } from '@libp2p/noise'
import { webRTC } from '@libp2p/webrtc'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'

/** A peer that listens there, with these services; it dials nobody once `isAlone` says so. */
export const createInPage = (listen, services, isAlone = () => false) =>
  createLibp2p({
    addresses: { listen },
    transports: [
      webSockets(),
      circuitRelayTransport(),
      // Nobody else is asked for the way.
      webRTC({ rtcConfiguration: { iceServers: [] } }),
    ],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    // In a page it dials no private addresses unless told so.
    connectionGater: { denyDialMultiaddr: isAlone },
    services,
  })
