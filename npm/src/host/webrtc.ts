/**
 * WebRTC in Node.js, by the optional package `node-datachannel`: nodes that meet through a relay go
 * on directly, as tabs do. Without the package relayed connections stay so.
 */
import type { IceServer } from '../node-options.js'
import type { Host } from '../wasm.js'

type Lend = NonNullable<Host['peer']>

/** What is used of the library of pages. */
interface PageLibrary {
  browserPeer(
    servers: readonly IceServer[],
    streams: boolean,
    stun: string | null,
    Connection: unknown,
  ): ReturnType<Lend>
}

/** By name alone: its types speak of a browser, and it may be missing. */
const PACKAGE: string = 'node-datachannel/polyfill'

/** Lends peer connections; undefined where the package is missing or does not load. */
export async function peerConnections(
  servers: readonly IceServer[] = [],
): Promise<Lend | undefined> {
  try {
    const { RTCPeerConnection } = await import(PACKAGE)
    const library: PageLibrary = await import(new URL('../page/peer.js', import.meta.url).href)
    return (streams, stun) => library.browserPeer(servers, streams, stun, RTCPeerConnection)
  } catch {
    return undefined
  }
}
