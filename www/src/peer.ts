/**
 * Peer connections lent to the node: `RTCPeerConnection`, which only a page has.
 *
 * `browserPeer` is for a node on the page itself, or in Node with a library's `RTCPeerConnection`. For a node in a worker the page calls `lendPeers`
 * with one end of a message channel, and the worker makes its host of the other (`peersOf`). The
 * connections stay on the page; their data channels go to the worker: see `channel.ts`.
 *
 * Towards a node of this program a connection has one data channel, towards other programs one for
 * each stream ("with streams").
 */
import type { HostPeer, HostSocket, PeerHandlers } from '../../wasm/mesh.js'
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

/** With these, and with the relay between the two where it answers STUN. */
function settings(servers: Servers, stun: string | null): RTCConfiguration {
  return { iceServers: stun === null ? [...servers] : [...servers, { urls: stun }] }
}

/** The label of a data channel that is there to be described, and carries nothing. */
const INIT = 'init'

/** Those that are not closed. */
const open = new Set<Peer>()

// Otherwise the other side learns that a tab is gone, or was loaded anew, after half a minute. A
// page that the browser keeps has lost its node too, and starts over when it comes back.
globalThis.addEventListener?.('pagehide', () => {
  for (const peer of open) peer.close()
})

/** What a connection says, to a node that is here or elsewhere. */
interface Listener {
  candidate(candidate: string): void
  ended(reason: string): void
  connected(): void
  /** A data channel that the peer opened. */
  channel(channel: RTCDataChannel): void
}

/** A peer connection and what it says, wherever the node is. */
class Peer {
  readonly #connection: RTCPeerConnection
  readonly #listener: Listener
  /** The only data channel; null with streams. */
  readonly channel: RTCDataChannel | null

  constructor(connection: RTCPeerConnection, streams: boolean, listener: Listener) {
    this.#connection = connection
    this.#listener = listener
    this.channel = streams
      ? null
      : this.#connection.createDataChannel('', { negotiated: true, id: 0 })
    open.add(this)
    this.#connection.onicecandidate = (event) =>
      listener.candidate(JSON.stringify(event.candidate?.toJSON() ?? null))
    this.#connection.onconnectionstatechange = () => this.#onState()
    if (!streams) return
    this.#connection.ondatachannel = ({ channel }) => {
      // Whoever opened that one closes it, and waits for it to be open before.
      if (channel.label !== INIT) listener.channel(channel)
    }
  }

  /** Opens a data channel for another stream. */
  open(): RTCDataChannel {
    return this.#connection.createDataChannel('')
  }

  async offer(): Promise<string> {
    if (this.channel === null) {
      const init = this.#connection.createDataChannel(INIT)
      init.onopen = () => init.close()
    }
    await this.#connection.setLocalDescription()
    return this.#connection.localDescription?.sdp ?? ''
  }

  async answer(sdp: string): Promise<string> {
    await this.#connection.setRemoteDescription({ type: 'offer', sdp })
    await this.#connection.setLocalDescription()
    return this.#connection.localDescription?.sdp ?? ''
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

  #onState(): void {
    const state = this.#connection.connectionState
    if (state === 'failed') this.#fail('the hosts found no direct way to each other, or lost it')
    if (state !== 'connected' || this.channel !== null) return
    this.#listener.connected()
    // With a single channel its end says that the peer has closed the connection.
    const transport = this.#connection.sctp?.transport
    if (transport === undefined) return
    transport.onstatechange = () => {
      if (transport.state === 'closed') this.#fail('the peer closed the connection')
    }
  }

  #fail(reason: string): void {
    this.#listener.ended(reason)
    this.close()
  }
}

/** A peer connection for a node on this page, with streams or without. */
export function browserPeer(
  servers: Servers = [],
  streams = false,
  stun: string | null = null,
  Connection = globalThis.RTCPeerConnection,
): HostPeer {
  let handlers: PeerHandlers | null = null
  const channel = new ChannelSocket()
  const peer = new Peer(new Connection(settings(servers, stun)), streams, {
    candidate: (candidate) => handlers?.candidate(candidate),
    ended: (reason) => {
      handlers?.close(reason)
      channel.fail(reason)
    },
    connected: () => handlers?.connected(),
    channel: (opened) => handlers?.channel(socketOf(opened)),
  })
  if (peer.channel !== null) channel.attach(peer.channel)
  return {
    channel,
    setHandlers: (given) => {
      handlers = given
    },
    open: () => socketOf(peer.open()),
    offer: () => peer.offer(),
    answer: (sdp) => peer.answer(sdp),
    apply: (sdp) => peer.apply(sdp),
    add: (candidate) => peer.add(candidate),
    close: () => {
      if (streams) peer.close()
      else channel.whenEnded(GOODBYE_MS, () => peer.close())
    },
  }
}

function socketOf(channel: Channel): HostSocket {
  const socket = new ChannelSocket()
  socket.attach(channel)
  return socket
}

type Told =
  | { readonly peer: number; readonly candidate: string }
  | { readonly peer: number; readonly ended: string }
  | { readonly peer: number; readonly connected: true }
  /** Which one: that of a stream which the worker opened, or null. */
  | {
      readonly peer: number
      readonly channel: RTCDataChannel | MessagePort
      readonly stream: number | null
    }

/** A connection that the worker has, and how to end what passes its channels on. */
type Lent = { readonly peer: Peer; readonly ends: Set<() => void> }

type Api = ReturnType<typeof apiOf>

/** What a worker asks of its page. */
function apiOf(
  lent: Map<number, Lent>,
  servers: Servers,
  tell: (told: Told, transfer?: Transferable[]) => void,
) {
  const lentAs = (peer: number): Lent => {
    const found = lent.get(peer)
    if (found === undefined) throw new Error('this peer connection has ended')
    return found
  }
  const known = (peer: number): Peer => lentAs(peer).peer
  return {
    create: (peer: number, streams: boolean, stun: string | null) => {
      const ends = new Set<() => void>()
      const made = new Peer(new RTCPeerConnection(settings(servers, stun)), streams, {
        candidate: (candidate) => tell({ peer, candidate }),
        ended: (ended) => tell({ peer, ended }),
        connected: () => tell({ peer, connected: true }),
        channel: (channel) => hand(peer, channel, null, ends, tell),
      })
      lent.set(peer, { peer: made, ends })
      if (made.channel !== null) hand(peer, made.channel, null, ends, tell)
    },
    open: (peer: number, stream: number) => {
      const { peer: found, ends } = lentAs(peer)
      hand(peer, found.open(), stream, ends, tell)
    },
    offer: (peer: number) => known(peer).offer(),
    answer: (peer: number, sdp: string) => known(peer).answer(sdp),
    apply: (peer: number, sdp: string) => known(peer).apply(sdp),
    add: (peer: number, candidate: string) => known(peer).add(candidate),
    close: (peer: number) => {
      const ended = lent.get(peer)
      lent.delete(peer)
      ended?.peer.close()
      for (const end of ended?.ends ?? []) end()
    },
  }
}

/**
 * Transfers a channel, which must be fresh, or stays in between until it ends or is told to by what
 * is put into `ends`.
 */
function hand(
  peer: number,
  channel: RTCDataChannel,
  stream: number | null,
  ends: Set<() => void>,
  tell: (told: Told, transfer?: Transferable[]) => void,
): void {
  try {
    tell({ peer, channel, stream }, [channel])
  } catch {
    const { port1, port2 } = new MessageChannel()
    const end = proxy(channel, port1, () => ends.delete(end))
    ends.add(end)
    tell({ peer, channel: port2, stream }, [port2])
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
export function peersOf(port: MessagePort): (streams: boolean, stun: string | null) => HostPeer {
  const peers = new Map<number, RemotePeer>()
  const { remote } = connect<Api, Told>(port as unknown as Port, (told) => {
    peers.get(told.peer)?.on(told)
  })
  port.start()
  let next = 0
  return (streams, stun) => {
    next += 1
    const id = next
    const made = remote.create(id, streams, stun)
    const peer = new RemotePeer(remote, id, made, streams, () => peers.delete(id))
    peers.set(id, peer)
    return peer
  }
}

class RemotePeer implements HostPeer {
  readonly #remote: Remote<Api>
  readonly #id: number
  readonly #forget: () => void
  readonly #streams: boolean
  readonly channel = new ChannelSocket()
  /** Those of streams that this side opened and the page has not made yet. */
  readonly #opening = new Map<number, ChannelSocket>()
  #opened = 0
  #handlers: PeerHandlers | null = null

  constructor(
    remote: Remote<Api>,
    id: number,
    made: Promise<unknown>,
    streams: boolean,
    forget: () => void,
  ) {
    this.#remote = remote
    this.#id = id
    this.#streams = streams
    this.#forget = forget
    made.catch((error: unknown) => this.#end(toProblem(error).message))
  }

  on(told: Told): void {
    if ('candidate' in told) this.#handlers?.candidate(told.candidate)
    else if ('ended' in told) this.#end(told.ended)
    else if ('connected' in told) this.#handlers?.connected()
    else this.#onChannel(channelOf(told.channel), told.stream)
  }

  setHandlers(handlers: PeerHandlers): void {
    this.#handlers = handlers
  }

  open(): HostSocket {
    this.#opened += 1
    const stream = this.#opened
    const socket = new ChannelSocket()
    this.#opening.set(stream, socket)
    this.#remote.open(this.#id, stream).catch((error: unknown) => {
      this.#opening.delete(stream)
      socket.fail(toProblem(error).message)
    })
    return socket
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
    const close = () => {
      this.#forget()
      this.#remote.close(this.#id).catch(() => {})
    }
    if (this.#streams) close()
    else this.channel.whenEnded(GOODBYE_MS, close)
  }

  #onChannel(channel: Channel, stream: number | null): void {
    if (!this.#streams) {
      this.channel.attach(channel)
    } else if (stream === null) {
      this.#handlers?.channel(socketOf(channel))
    } else {
      this.#opening.get(stream)?.attach(channel)
      this.#opening.delete(stream)
    }
  }

  #end(reason: string): void {
    this.#handlers?.close(reason)
    this.channel.fail(reason)
    for (const socket of this.#opening.values()) socket.fail(reason)
    this.#opening.clear()
  }
}

function channelOf(channel: RTCDataChannel | MessagePort): Channel {
  return channel instanceof MessagePort ? new PortChannel(channel) : channel
}
