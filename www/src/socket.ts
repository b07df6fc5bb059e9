/**
 * WebSockets lent to the node: the page's half of the transport. A page dials; it cannot listen.
 *
 * A browser socket tells neither when its send buffer has drained nor lets a reader slow it down.
 * So `send` answers false above a mark and a short timer announces the drain; a paused socket queues
 * what arrives. That queue is bounded in practice by the stream windows of the protocol above, and
 * in any case by the bound of the `Inbox`, past which the connection is closed with its reason.
 */
import type { Host, HostSocket, SocketHandlers } from '../../wasm/mesh.js'
import { Inbox } from './inbox.ts'
import { browserPeer } from './peer.ts'

/** Above this the node is asked to wait: a few large frames, a moment's worth on a local network. */
const SEND_HIGH_BYTES = 1024 * 1024
/** Below this it may go on. */
const SEND_LOW_BYTES = 256 * 1024
/** How often a full send buffer is looked at. */
const DRAIN_POLL_MS = 10

/**
 * What a page lends to a node that it runs itself: sockets and, where there is WebRTC, peer
 * connections. A node in a worker gets the latter from its page: see `peer.ts`.
 */
export function browserHost(iceServers: readonly RTCIceServer[] = []): Host {
  if (typeof RTCPeerConnection === 'undefined') return { dial }
  return { dial, peer: (streams, stun) => browserPeer(iceServers, streams, stun) }
}

/** Never throws: an address the browser refuses is a socket that closes with the reason. */
function dial(url: string): HostSocket {
  try {
    return new BrowserSocket(new WebSocket(url))
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    return {
      setHandlers: (handlers) => queueMicrotask(() => handlers.close(reason)),
      send: () => false,
      pause: () => {},
      resume: () => {},
      close: () => {},
    }
  }
}

class BrowserSocket implements HostSocket {
  readonly #socket: WebSocket
  readonly #inbox = new Inbox((reason) => this.#fail(reason))
  #reason = ''
  #draining: ReturnType<typeof setInterval> | null = null

  constructor(socket: WebSocket) {
    this.#socket = socket
    this.#socket.binaryType = 'arraybuffer'
    this.#socket.onopen = () => this.#inbox.tell((handlers) => handlers.open())
    this.#socket.onmessage = ({ data }) => this.#inbox.receive(data)
    this.#socket.onclose = ({ code, reason }) => {
      this.#stopDraining()
      const why = this.#reason || reason || `closed with code ${code}`
      this.#inbox.tell((handlers) => handlers.close(why))
    }
  }

  setHandlers(handlers: SocketHandlers): void {
    this.#inbox.setHandlers(handlers)
  }

  send(bytes: Uint8Array): boolean {
    if (this.#socket.readyState !== WebSocket.OPEN) return false
    // The view may lie in wasm memory, which can move: the socket gets bytes of its own.
    this.#socket.send(new Uint8Array(bytes))
    if (this.#socket.bufferedAmount <= SEND_HIGH_BYTES) return true
    this.#draining ??= setInterval(() => this.#lookForDrain(), DRAIN_POLL_MS)
    return false
  }

  pause(): void {
    this.#inbox.pause()
  }

  resume(): void {
    this.#inbox.resume()
  }

  close(): void {
    this.#socket.close(1000)
  }

  #fail(reason: string): void {
    this.#reason = reason
    this.#inbox.clear()
    this.#socket.close(1000)
  }

  #lookForDrain(): void {
    if (this.#socket.bufferedAmount > SEND_LOW_BYTES) return
    this.#stopDraining()
    this.#inbox.tell((handlers) => handlers.drain())
  }

  #stopDraining(): void {
    if (this.#draining !== null) clearInterval(this.#draining)
    this.#draining = null
  }
}
