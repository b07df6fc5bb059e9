/**
 * Peer connections lent to the node: `RTCPeerConnection`, which only a page has.
 *
 * `browserPeer` is for a node on the page itself. For a node in a worker the page calls `lendPeers`
 * with one end of a message channel, and the worker makes its host of the other (`peersOf`). The
 * connections stay on the page; their data channels go to the worker: see `channel.ts`.
 */
import type { HostPeer, PeerHandlers } from '../../wasm/mesh.js'
import { type Channel, ChannelSocket, PortChannel, proxy } from './channel.ts'
import { toProblem } from './problem.ts'
import { connect, type Port, type Remote, serve } from './rpc.ts'

/** How long a closing connection waits for its channel to say goodbye. */
const GOODBYE_MS = 1000

/**
 * Servers that help two peers to find a way (STUN) or pass on what they say (TURN). None by default:
 * then peers tell each other the addresses that their machines know of, and nobody else hears of it.
 */
type Servers = readonly RTCIceServer[]

/** Those that are not closed. */
const open = new Set<Peer>()

// Otherwise the other side learns that a tab is gone, or was loaded anew, after half a minute. A
// page that the browser keeps has lost its node too, and starts over when it comes back.
globalThis.addEventListener?.('pagehide', () => {
  for (const peer of open) peer.close()
})

/** A peer connection and what it says, wherever the node is. */
class Peer {
  readonly #connection: RTCPeerConnection
  readonly channel: RTCDataChannel

  constructor(
    servers: Servers,
    candidate: (candidate: string) => void,
    ended: (reason: string) => void,
  ) {
    this.#connection = new RTCPeerConnection({ iceServers: [...servers] })
    this.channel = this.#connection.createDataChannel('', { negotiated: true, id: 0 })
    open.add(this)
    this.#connection.onicecandidate = (event) =>
      candidate(JSON.stringify(event.candidate?.toJSON() ?? null))
    this.#connection.onconnectionstatechange = () => {
      if (this.#connection.connectionState !== 'failed') return
      ended('the hosts found no direct way to each other, or lost it')
      this.close()
    }
  }

  async offer(): Promise<string> {
    await this.#connection.setLocalDescription()
    return this.#connection.localDescription?.sdp ?? ''
  }

  async answer(sdp: string): Promise<string> {
    await this.#connection.setRemoteDescription({ type: 'offer', sdp })
    return this.offer()
  }

  apply(sdp: string): Promise<void> {
    return this.#connection.setRemoteDescription({ type: 'answer', sdp })
  }

  add(candidate: string): Promise<void> {
    return this.#connection.addIceCandidate(JSON.parse(candidate))
  }

  close(): void {
    open.delete(this)
    this.#connection.close()
  }
}

/** A peer connection for a node on this page. */
export function browserPeer(servers: Servers = []): HostPeer {
  let handlers: PeerHandlers | null = null
  const channel = new ChannelSocket()
  const ended = (reason: string) => {
    handlers?.close(reason)
    channel.fail(reason)
  }
  const peer = new Peer(servers, (candidate) => handlers?.candidate(candidate), ended)
  channel.attach(peer.channel)
  return {
    channel,
    setHandlers: (given) => {
      handlers = given
    },
    offer: () => peer.offer(),
    answer: (sdp) => peer.answer(sdp),
    apply: (sdp) => peer.apply(sdp),
    add: (candidate) => peer.add(candidate),
    close: () => channel.whenEnded(GOODBYE_MS, () => peer.close()),
  }
}

type Told =
  | { readonly peer: number; readonly candidate: string }
  | { readonly peer: number; readonly ended: string }
  | { readonly peer: number; readonly channel: RTCDataChannel | MessagePort }

/** A connection that the worker has, and how to end what passes its channel on. */
type Lent = { readonly peer: Peer; readonly end: () => void }

type Api = ReturnType<typeof apiOf>

/** What a worker asks of its page. */
function apiOf(
  lent: Map<number, Lent>,
  servers: Servers,
  tell: (told: Told, transfer?: Transferable[]) => void,
) {
  const known = (peer: number): Peer => {
    const found = lent.get(peer)
    if (found === undefined) throw new Error('this peer connection has ended')
    return found.peer
  }
  return {
    create: (peer: number) => {
      const made = new Peer(
        servers,
        (candidate) => tell({ peer, candidate }),
        (ended) => tell({ peer, ended }),
      )
      lent.set(peer, { peer: made, end: hand(peer, made.channel, tell) })
    },
    offer: (peer: number) => known(peer).offer(),
    answer: (peer: number, sdp: string) => known(peer).answer(sdp),
    apply: (peer: number, sdp: string) => known(peer).apply(sdp),
    add: (peer: number, candidate: string) => known(peer).add(candidate),
    close: (peer: number) => {
      const ended = lent.get(peer)
      lent.delete(peer)
      ended?.peer.close()
      ended?.end()
    },
  }
}

/** Transfers a channel, which must be fresh, or stays in between until it is told to end. */
function hand(
  peer: number,
  channel: RTCDataChannel,
  tell: (told: Told, transfer?: Transferable[]) => void,
): () => void {
  try {
    tell({ peer, channel }, [channel])
    return () => {}
  } catch {
    const { port1, port2 } = new MessageChannel()
    const end = proxy(channel, port1)
    tell({ peer, channel: port2 }, [port2])
    return end
  }
}

/**
 * Lends peer connections of this page to the node behind `port`. Returns how to end it: a worker
 * that died closes nothing, and its peers would take this tab for one that is there.
 */
export function lendPeers(port: MessagePort, servers: Servers = []): () => void {
  const lent = new Map<number, Lent>()
  const api = apiOf(lent, servers, (told, transfer) => tell(told, transfer))
  const tell = serve<Api, Told>(port as unknown as Port, api)
  port.start()
  return () => {
    // First, so that no call that is under way makes another one.
    port.close()
    for (const peer of [...lent.keys()]) api.close(peer)
  }
}

/** The page's peer connections, for the node in this worker. */
export function peersOf(port: MessagePort): () => HostPeer {
  const peers = new Map<number, RemotePeer>()
  const { remote } = connect<Api, Told>(port as unknown as Port, (told) => {
    peers.get(told.peer)?.on(told)
  })
  port.start()
  let next = 0
  return () => {
    next += 1
    const id = next
    const peer = new RemotePeer(remote, id, () => peers.delete(id))
    peers.set(id, peer)
    return peer
  }
}

class RemotePeer implements HostPeer {
  readonly #remote: Remote<Api>
  readonly #id: number
  readonly #forget: () => void
  readonly #made: Promise<unknown>
  readonly channel = new ChannelSocket()
  #handlers: PeerHandlers | null = null

  constructor(remote: Remote<Api>, id: number, forget: () => void) {
    this.#remote = remote
    this.#id = id
    this.#forget = forget
    this.#made = remote.create(id)
    this.#made.catch((error: unknown) => this.#end(toProblem(error).message))
  }

  on(told: Told): void {
    if ('candidate' in told) this.#handlers?.candidate(told.candidate)
    else if ('ended' in told) this.#end(told.ended)
    else this.channel.attach(channelOf(told.channel))
  }

  setHandlers(handlers: PeerHandlers): void {
    this.#handlers = handlers
  }

  offer(): Promise<string> {
    return this.#remote.offer(this.#id)
  }

  answer(sdp: string): Promise<string> {
    return this.#remote.answer(this.#id, sdp)
  }

  apply(sdp: string): Promise<void> {
    return this.#remote.apply(this.#id, sdp)
  }

  add(candidate: string): Promise<void> {
    return this.#remote.add(this.#id, candidate)
  }

  close(): void {
    this.channel.whenEnded(GOODBYE_MS, () => {
      this.#forget()
      this.#remote.close(this.#id).catch(() => {})
    })
  }

  #end(reason: string): void {
    this.#handlers?.close(reason)
    this.channel.fail(reason)
  }
}

function channelOf(channel: RTCDataChannel | MessagePort): Channel {
  return channel instanceof MessagePort ? new PortChannel(channel) : channel
}
