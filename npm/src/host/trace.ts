/** How one peer is reached, or why it is not: what `peer trace` and `Node.trace` tell. */
import { SynapticError } from '../errors.js'
import type { AddressView, PeerView } from '../wasm.js'

/** A way that nobody is connected on. */
export interface TracedFailure {
  readonly address: string
  /** Calls in a row that came to nothing. */
  readonly failures: number
  /** Why the last one did, and what to do; empty when none was tried. */
  readonly reason: string
  /** Until it may be tried again, in milliseconds. */
  readonly nextMs: number
}

/** How a peer is reached. */
export interface PeerTrace {
  /** Its node id; null where nobody has answered yet. */
  readonly id: string | null
  readonly connected: boolean
  /** `relayed` through another node; null while it is not connected, as all that follows. */
  readonly path: PeerView['path'] | null
  /** The peer id of the node that relays. */
  readonly relay: string | null
  readonly address: string | null
  readonly transport: PeerView['transport'] | null
  readonly channel: PeerView['channel'] | null
  /** Whether this node called. */
  readonly outbound: boolean | null
  /** The last round trip of the connection, in milliseconds; null before the first. */
  readonly rttMs: number | null
  /** How long a question took that was asked just now, in milliseconds; null without an answer. */
  readonly answeredMs: number | null
  /** Other addresses of it, at which nobody is connected. */
  readonly failures: readonly TracedFailure[]
}

/** What is asked; a node. */
export interface Traced {
  status(): Promise<{ readonly peers: readonly PeerView[] }>
  unreached(): Promise<readonly AddressView[]>
  ping(peer: string): Promise<number>
}

/** A peer id is at least so long; shorter words stand in many addresses. */
const PEER_ID_LENGTH_MIN = 40
const PEER_ID = /\/p2p\/([1-9A-HJ-NP-Za-km-z]+)/g

/**
 * Finds out how a peer is reached, and asks it something.
 *
 * @param peer a node id while it is connected; a peer id or an address otherwise
 * @throws SynapticError `peer-unknown`
 */
export async function trace(node: Traced, peer: string): Promise<PeerTrace> {
  const [{ peers }, unreached] = await Promise.all([node.status(), node.unreached()])
  const found = peers.find(({ id, address }) => id === peer || isOf(address, peer))
  const failures = unreached.filter(({ address }) => isOf(address, found?.address ?? peer))
  if (found === undefined && failures.length === 0) {
    throw new SynapticError(
      'peer-unknown',
      `nobody is connected as "${peer}", and no address leads to it`,
      'see `synaptic-mesh peer list`; who is not connected is named by address or peer id',
    )
  }
  return { ...(await wayOf(node, found)), failures: failures.map(plain) }
}

async function wayOf(
  node: Traced,
  peer: PeerView | undefined,
): Promise<Omit<PeerTrace, 'failures'>> {
  if (peer === undefined) {
    const none = { path: null, relay: null, address: null, transport: null, channel: null }
    return { id: null, connected: false, ...none, outbound: null, rttMs: null, answeredMs: null }
  }
  const { id, path, address, transport, channel, outbound, rttMs } = peer
  const relay = path === 'relayed' ? (peerIds(address)[0] ?? null) : null
  // It may go in this very moment: that it does not answer is what is to be told then.
  const answeredMs = await node.ping(id).catch(() => null)
  const way = { path, relay, address, transport, channel, outbound, rttMs, answeredMs }
  return { id, connected: true, ...way }
}

/** Whether an address leads to a peer, which is named by an address or a peer id. */
function isOf(address: string, peer: string): boolean {
  if (address === peer) return true
  const named = peer.startsWith('/') ? peerIds(peer).at(-1) : peer
  return (named?.length ?? 0) >= PEER_ID_LENGTH_MIN && peerIds(address).at(-1) === named
}

/** The peer ids of an address; the last one is who is reached there. */
function peerIds(address: string): string[] {
  return [...address.matchAll(PEER_ID)].map(([, id]) => id ?? '')
}

function plain({ address, failures, reason, nextMs }: AddressView): TracedFailure {
  return { address, failures, reason, nextMs }
}
