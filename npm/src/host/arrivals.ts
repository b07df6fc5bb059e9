/**
 * Who calls from where, so that one address cannot keep all others out.
 *
 * The core takes sixteen handshakes at a time, whoever calls, and each may take ten seconds: sixteen
 * silent callers would be all that is ever taken in. So of each address only some are handed to the
 * core before they have said as much as a handshake takes; the others wait for their turn, as long
 * as a caller would. IPv6 addresses count by their network of 64 bits, which one machine has whole.
 */
import type { Socket } from 'node:net'

/** Connections of one address at a time: half as many again as the core keeps of everybody. */
export const ADDRESS_CONNECTIONS_MAX = 96
/** Handshakes of one address at a time: a quarter of the core's. */
const ADDRESS_HANDSHAKES_MAX = 4
/** A caller that has not had its turn by then has given up. */
const TURN_MS_MAX = 10_000
/** As long as the core gives a handshake. */
const HANDSHAKE_MS_MAX = 10_000
/** What a caller says until it has proved who it is: negotiation and two flights of the channel. */
const HANDSHAKE_BYTES = 6_700

interface Address {
  connections: number
  handshakes: number
  /** In the order in which they came, what begins with each. */
  readonly waiting: Set<() => void>
}

/** What the socket of a caller tells. */
interface Caller {
  on(event: 'message', listener: (data: { readonly length: number }) => void): unknown
  once(event: 'close', listener: () => void): unknown
  terminate(): void
}

/** The callers of one listener. */
export class Arrivals {
  readonly #addresses = new Map<string, Address>()

  /** Counts a connection until it is closed; whether its address may have one more. */
  take(socket: Socket): boolean {
    const name = networkOf(socket.remoteAddress)
    const address = this.#addresses.get(name) ?? {
      connections: 0,
      handshakes: 0,
      waiting: new Set(),
    }
    if (address.connections >= ADDRESS_CONNECTIONS_MAX) return false
    this.#addresses.set(name, address)
    address.connections += 1
    socket.once('close', () => {
      address.connections -= 1
      if (address.connections === 0) this.#addresses.delete(name)
    })
    return true
  }

  /** Calls `serve` when it is the turn of a caller; one that waits for too long is ended. */
  line(socket: Socket, caller: Caller, serve: () => void): void {
    const address = this.#addresses.get(networkOf(socket.remoteAddress))
    // It was closed while it became a WebSocket.
    if (address === undefined) caller.terminate()
    else if (address.handshakes < ADDRESS_HANDSHAKES_MAX) begin(address, caller, serve)
    else wait(address, caller, serve)
  }
}

function begin(address: Address, caller: Caller, serve: () => void): void {
  address.handshakes += 1
  onceShaken(caller, () => {
    address.handshakes -= 1
    const [next] = address.waiting
    if (next !== undefined) next()
  })
  serve()
}

function wait(address: Address, caller: Caller, serve: () => void): void {
  const timer = setTimeout(() => caller.terminate(), TURN_MS_MAX)
  const leave = (): void => {
    address.waiting.delete(turn)
    clearTimeout(timer)
  }
  const turn = (): void => {
    leave()
    begin(address, caller, serve)
  }
  address.waiting.add(turn)
  caller.once('close', leave)
}

/**
 * Calls once a caller has said all that a handshake takes, or is gone, or had the time of one: then
 * the core has ended it, or it is a peer whose handshake takes less, such as libp2p's noise.
 */
function onceShaken(caller: Caller, done: () => void): void {
  let missing = HANDSHAKE_BYTES
  let isDone = false
  const end = (): void => {
    clearTimeout(timer)
    if (isDone) return
    isDone = true
    done()
  }
  const timer = setTimeout(end, HANDSHAKE_MS_MAX)
  caller.on('message', ({ length }) => {
    missing -= length
    if (missing <= 0) end()
  })
  caller.once('close', end)
}

/** An IPv4 address, or the first 64 bits of an IPv6 one. */
export function networkOf(address: string | undefined): string {
  const plain = (address ?? '').replace(/^::ffff:(?=\d+\.)/, '').replace(/%.*$/, '')
  if (!plain.includes(':')) return plain
  const [head = '', tail] = plain.split('::')
  const groups = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = Array<string>(Math.max(0, 8 - groups.length - after.length)).fill('0')
  return [...groups, ...zeros, ...after].slice(0, 4).join(':')
}
