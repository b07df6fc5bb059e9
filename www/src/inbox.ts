/**
 * What arrives for the node on a socket that cannot be stopped: kept until there are handlers, and
 * while the node has paused it, up to a bound.
 */
import type { SocketHandlers } from '../../wasm/mesh.js'

/** What a paused socket may hold: 256 yamux streams of 256 KiB, the protocol's own worst case. */
const PAUSED_BYTES_MAX = 64 * 1024 * 1024

export class Inbox {
  readonly #overflow: (reason: string) => void
  #handlers: SocketHandlers | null = null
  #early: ((handlers: SocketHandlers) => void)[] = []
  #held: Uint8Array[] = []
  #heldBytes = 0
  #paused = false

  /** `overflow` has to end a socket that got more than fits. */
  constructor(overflow: (reason: string) => void) {
    this.#overflow = overflow
  }

  setHandlers(handlers: SocketHandlers): void {
    this.#handlers = handlers
    const early = this.#early
    this.#early = []
    for (const tell of early) tell(handlers)
  }

  tell(tell: (handlers: SocketHandlers) => void): void {
    if (this.#handlers === null) this.#early.push(tell)
    else tell(this.#handlers)
  }

  receive(data: unknown): void {
    if (!(data instanceof ArrayBuffer)) {
      this.#overflow('the peer sent text')
      return
    }
    // Some peers send empty messages; a reader would take one for the end of the stream.
    if (data.byteLength === 0) return
    const bytes = new Uint8Array(data)
    if (this.#paused) this.#hold(bytes)
    else this.tell((handlers) => handlers.message(bytes))
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
      this.tell((handlers) => handlers.message(bytes))
    }
  }

  /** Forgets what waits: the socket is given up. */
  clear(): void {
    this.#held = []
    this.#heldBytes = 0
  }

  #hold(bytes: Uint8Array): void {
    this.#held.push(bytes)
    this.#heldBytes += bytes.length
    if (this.#heldBytes > PAUSED_BYTES_MAX) {
      this.#overflow('the peer sends faster than this tab reads')
    }
  }
}
