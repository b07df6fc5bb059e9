/**
 * WebSockets lent to the node: the page's half of the transport. A page dials; it cannot listen.
 *
 * A browser socket tells neither when its send buffer has drained nor lets a reader slow it down.
 * So `send` answers false above a mark and a short timer announces the drain; a paused socket queues
 * what arrives. That queue is bounded in practice by the stream windows of the protocol above, and
 * in any case by `PAUSED_BYTES_MAX`, past which the connection is closed with its reason.
 */
import type { Host, HostSocket, SocketHandlers } from '../../wasm/mesh.js'

/** Above this the node is asked to wait: a few large frames, a moment's worth on a local network. */
const SEND_HIGH_BYTES = 1024 * 1024
/** Below this it may go on. */
const SEND_LOW_BYTES = 256 * 1024
/** How often a full send buffer is looked at. */
const DRAIN_POLL_MS = 10
/** What a paused socket may hold: 256 yamux streams of 256 KiB, the protocol's own worst case. */
const PAUSED_BYTES_MAX = 64 * 1024 * 1024

/** The sockets of a browser tab. */
export const browserHost: Host = { dial }

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
  #handlers: SocketHandlers | null = null
  #early: ((handlers: SocketHandlers) => void)[] = []
  #held: Uint8Array[] = []
  #heldBytes = 0
  #paused = false
  #reason = ''
  #draining: ReturnType<typeof setInterval> | null = null

  constructor(socket: WebSocket) {
    this.#socket = socket
    this.#socket.binaryType = 'arraybuffer'
    this.#socket.onopen = () => this.#tell((handlers) => handlers.open())
    this.#socket.onmessage = ({ data }) => this.#receive(data)
    this.#socket.onclose = ({ code, reason }) => {
      this.#stopDraining()
      const why = this.#reason || reason || `closed with code ${code}`
      this.#tell((handlers) => handlers.close(why))
    }
  }

  setHandlers(handlers: SocketHandlers): void {
    this.#handlers = handlers
    const early = this.#early
    this.#early = []
    for (const tell of early) tell(handlers)
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
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    while (!this.#paused) {
      const bytes = this.#held.shift()
      if (bytes === undefined) return
      this.#heldBytes -= bytes.length
      this.#tell((handlers) => handlers.message(bytes))
    }
  }

  close(): void {
    this.#socket.close(1000)
  }

  #receive(data: unknown): void {
    if (!(data instanceof ArrayBuffer)) {
      this.#fail('the peer sent text')
      return
    }
    // Some peers send empty frames; a reader would take one for the end of the stream.
    if (data.byteLength === 0) return
    const bytes = new Uint8Array(data)
    if (this.#paused) this.#hold(bytes)
    else this.#tell((handlers) => handlers.message(bytes))
  }

  #hold(bytes: Uint8Array): void {
    this.#held.push(bytes)
    this.#heldBytes += bytes.length
    if (this.#heldBytes > PAUSED_BYTES_MAX) this.#fail('the peer sends faster than this tab reads')
  }

  #tell(tell: (handlers: SocketHandlers) => void): void {
    if (this.#handlers === null) this.#early.push(tell)
    else tell(this.#handlers)
  }

  #fail(reason: string): void {
    this.#reason = reason
    this.#held = []
    this.#heldBytes = 0
    this.#socket.close(1000)
  }

  #lookForDrain(): void {
    if (this.#socket.bufferedAmount > SEND_LOW_BYTES) return
    this.#stopDraining()
    this.#tell((handlers) => handlers.drain())
  }

  #stopDraining(): void {
    if (this.#draining !== null) clearInterval(this.#draining)
    this.#draining = null
  }
}
