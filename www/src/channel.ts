/**
 * Data channels as sockets of the node, wherever the channel itself is.
 *
 * A peer connection lives on the page and the node in a worker. Where the browser can, the channel
 * is transferred to the worker; where it cannot, the page keeps it and passes messages on through a
 * port (`proxy`, `PortChannel`), whose buffers are transferred. Nothing is polled: the end that has
 * sent hears when what it sent is on its way.
 */
import type { HostSocket, SocketHandlers } from '../../wasm/mesh.js'
import { Inbox } from './inbox.ts'

/** Above this the node is asked to wait; a browser closes a channel that holds 16 MiB. */
const SEND_HIGH_BYTES = 1024 * 1024
/** Below this it may go on. */
const SEND_LOW_BYTES = 256 * 1024

/** The part of an `RTCDataChannel` that is needed. */
export interface Channel {
  readonly readyState: RTCDataChannelState
  readonly bufferedAmount: number
  binaryType: BinaryType
  bufferedAmountLowThreshold: number
  onopen: ((event: Event) => void) | null
  onmessage: ((event: MessageEvent) => void) | null
  onclose: ((event: Event) => void) | null
  onbufferedamountlow: ((event: Event) => void) | null
  send(bytes: Uint8Array<ArrayBuffer>): void
  close(): void
}

/** A socket over a channel, which may come later. */
export class ChannelSocket implements HostSocket {
  readonly #inbox = new Inbox((reason) => this.fail(reason))
  #channel: Channel | null = null
  #waiting = false
  #ended = false
  #onEnd: (() => void)[] = []

  /** Takes the channel. */
  attach(channel: Channel): void {
    if (this.#ended) {
      channel.close()
      return
    }
    this.#channel = channel
    channel.binaryType = 'arraybuffer'
    channel.bufferedAmountLowThreshold = SEND_LOW_BYTES
    channel.onopen = () => this.#inbox.tell((handlers) => handlers.open())
    channel.onmessage = ({ data }) => this.#inbox.receive(data)
    channel.onclose = () => this.#end('')
    channel.onbufferedamountlow = () => {
      if (!this.#waiting) return
      this.#waiting = false
      this.#inbox.tell((handlers) => handlers.drain())
    }
    if (channel.readyState === 'open') this.#inbox.tell((handlers) => handlers.open())
  }

  setHandlers(handlers: SocketHandlers): void {
    this.#inbox.setHandlers(handlers)
  }

  send(bytes: Uint8Array): boolean {
    const channel = this.#channel
    if (channel?.readyState !== 'open') return false
    // The view may lie in wasm memory, which can move: the channel gets bytes of its own.
    channel.send(new Uint8Array(bytes))
    this.#waiting = channel.bufferedAmount > SEND_HIGH_BYTES
    return !this.#waiting
  }

  pause(): void {
    this.#inbox.pause()
  }

  resume(): void {
    this.#inbox.resume()
  }

  close(): void {
    if (this.#channel === null) this.#end('')
    else this.#channel.close()
  }

  /** Ends it at once, with a reason. */
  fail(reason: string): void {
    this.#inbox.clear()
    this.#channel?.close()
    this.#end(reason)
  }

  /** Calls back when it has ended, or after a while in which it has not. */
  whenEnded(patienceMs: number, then: () => void): void {
    const late = setTimeout(then, this.#ended ? 0 : patienceMs)
    this.#onEnd.push(() => {
      clearTimeout(late)
      then()
    })
  }

  #end(reason: string): void {
    if (this.#ended) return
    this.#ended = true
    this.#inbox.tell((handlers) => handlers.close(reason))
    for (const then of this.#onEnd) then()
  }
}

type FromPage =
  | { readonly state: RTCDataChannelState }
  | { readonly data: ArrayBuffer }
  | { readonly sent: number }
type FromWorker = { readonly data: ArrayBuffer } | { readonly close: true }

/**
 * Keeps a channel that cannot be transferred, and passes on what it says and is told. Returns how
 * to end that: closing a peer connection need not tell its channels. `ended` is called when it has.
 */
export function proxy(channel: Channel, port: MessagePort, ended = () => {}): () => void {
  const say = (message: FromPage, transfer: Transferable[] = []) =>
    port.postMessage(message, transfer)
  let passed = 0
  const pass = () => {
    if (passed === 0 || channel.bufferedAmount > SEND_LOW_BYTES) return
    say({ sent: passed })
    passed = 0
  }
  channel.binaryType = 'arraybuffer'
  channel.bufferedAmountLowThreshold = SEND_LOW_BYTES
  channel.onopen = () => say({ state: 'open' })
  // An open port keeps its two ends, and what their handlers hold, for as long as the page lives.
  const end = () => {
    say({ state: 'closed' })
    port.close()
    ended()
  }
  channel.onclose = end
  channel.onbufferedamountlow = pass
  channel.onmessage = ({ data }) => {
    if (data instanceof ArrayBuffer) say({ data }, [data])
    else channel.close()
  }
  port.onmessage = ({ data: message }: MessageEvent<FromWorker>) => {
    if ('close' in message) return channel.close()
    if (channel.readyState !== 'open') return
    try {
      channel.send(new Uint8Array(message.data))
    } catch {
      // It holds as much as it can. What is missing from a stream cannot be made good.
      return channel.close()
    }
    passed += message.data.byteLength
    pass()
  }
  return end
}

/** The worker's end of a proxied channel. */
export class PortChannel implements Channel {
  readonly #port: MessagePort
  readyState: RTCDataChannelState = 'connecting'
  bufferedAmount = 0
  binaryType: BinaryType = 'arraybuffer'
  bufferedAmountLowThreshold = 0
  onopen: Channel['onopen'] = null
  onmessage: Channel['onmessage'] = null
  onclose: Channel['onclose'] = null
  onbufferedamountlow: Channel['onbufferedamountlow'] = null

  constructor(port: MessagePort) {
    this.#port = port
    port.onmessage = ({ data: message }: MessageEvent<FromPage>) => {
      if ('state' in message) this.#on(message.state)
      else if ('data' in message) {
        this.onmessage?.(new MessageEvent('message', { data: message.data }))
      } else this.#onSent(message.sent)
    }
  }

  send(bytes: Uint8Array<ArrayBuffer>): void {
    this.bufferedAmount += bytes.byteLength
    this.#port.postMessage({ data: bytes.buffer } satisfies FromWorker, [bytes.buffer])
  }

  close(): void {
    this.#port.postMessage({ close: true } satisfies FromWorker)
  }

  #on(state: RTCDataChannelState): void {
    this.readyState = state
    if (state === 'open') this.onopen?.(new Event('open'))
    if (state !== 'closed') return
    this.#port.close()
    this.onclose?.(new Event('close'))
  }

  #onSent(bytes: number): void {
    const was = this.bufferedAmount
    this.bufferedAmount -= bytes
    const low = this.bufferedAmountLowThreshold
    if (was > low && this.bufferedAmount <= low) {
      this.onbufferedamountlow?.(new Event('bufferedamountlow'))
    }
  }
}
