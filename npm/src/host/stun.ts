/**
 * A STUN server (RFC 8489, binding requests alone): who asks is told from where the question came,
 * which is its address beyond its router. Peers that meet through this node as relay ask it, at the
 * port at which it listens, and tell each other; so they find a direct way through most routers
 * with nobody's server in the middle.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'

/** Questions that are answered per second, and at once; the others are dropped. */
const PER_SECOND = 500

const REQUEST = 0x0001
const SUCCESS = 0x0101
const COOKIE = 0x2112a442
const HEADER_BYTES = 20
const XOR_MAPPED_ADDRESS = 0x0020
const [FAMILY_IPV4, FAMILY_IPV6] = [1, 2]

/** Answers at one port until it is closed. */
export class StunServer {
  readonly #socket: Socket
  readonly #answers: () => boolean
  readonly #now: () => number
  #left = PER_SECOND
  #sinceMs: number

  private constructor(socket: Socket, answers: () => boolean, now: () => number) {
    this.#socket = socket
    this.#answers = answers
    this.#now = now
    this.#sinceMs = now()
    // A port of UDP holds no process: the listener beside it does.
    socket.unref()
    socket.on('message', (question, from) => this.#on(question, from))
    // What cannot be sent is lost, as UDP is, and asked again.
    socket.on('error', () => undefined)
  }

  /**
   * Binds a port; undefined where another program has it.
   *
   * @param answers whether questions are answered at the moment
   */
  static bind(
    host: string,
    port: number,
    answers: () => boolean,
    now: () => number = () => performance.now(),
  ): Promise<StunServer | undefined> {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
    return new Promise((resolve) => {
      socket.once('error', () => {
        socket.close()
        resolve(undefined)
      })
      socket.bind({ address: host, port, exclusive: true }, () => {
        socket.removeAllListeners('error')
        resolve(new StunServer(socket, answers, now))
      })
    })
  }

  /** Answers nobody any more. */
  close(): void {
    this.#socket.close()
  }

  #on(question: Buffer, from: RemoteInfo): void {
    if (!this.#answers() || !this.#mayAnswer()) return
    const answer = bindingAnswer(question, from)
    if (answer !== undefined) this.#socket.send(answer, from.port, from.address)
  }

  #mayAnswer(): boolean {
    const nowMs = this.#now()
    const more = ((nowMs - this.#sinceMs) * PER_SECOND) / 1_000
    this.#left = Math.min(PER_SECOND, this.#left + more)
    this.#sinceMs = nowMs
    if (this.#left < 1) return false
    this.#left -= 1
    return true
  }
}

/**
 * What a question is answered with; undefined for what is no binding request. Attributes of the
 * question are not looked at: the answer depends on none.
 */
export function bindingAnswer(
  question: Uint8Array,
  { address, port }: Pick<RemoteInfo, 'address' | 'port'>,
): Buffer | undefined {
  const asked = Buffer.from(question.buffer, question.byteOffset, question.byteLength)
  if (asked.length < HEADER_BYTES || asked.length !== HEADER_BYTES + asked.readUInt16BE(2)) {
    return undefined
  }
  if (asked.readUInt16BE(0) !== REQUEST || asked.readUInt32BE(4) !== COOKIE) return undefined
  // An IPv4 caller of a socket of both families comes as ::ffff:1.2.3.4.
  const bytes = bytesOf(address.replace(/^::ffff:(?=\d+\.)/, ''))
  const family = bytes.length === 4 ? FAMILY_IPV4 : FAMILY_IPV6
  const answer = Buffer.alloc(HEADER_BYTES + 8 + bytes.length)
  answer.writeUInt16BE(SUCCESS, 0)
  answer.writeUInt16BE(8 + bytes.length, 2)
  asked.copy(answer, 4, 4, HEADER_BYTES)
  answer.writeUInt16BE(XOR_MAPPED_ADDRESS, 20)
  answer.writeUInt16BE(4 + bytes.length, 22)
  answer.writeUInt8(family, 25)
  answer.writeUInt16BE(port ^ (COOKIE >>> 16), 26)
  // Cookie and transaction id, which stand behind each other in the header.
  for (const [at, byte] of bytes.entries()) answer[28 + at] = byte ^ (answer[4 + at] ?? 0)
  return answer
}

/** An address as its 4 or 16 bytes. */
function bytesOf(address: string): number[] {
  if (!address.includes(':')) return address.split('.').map(Number)
  const [head = '', tail] = address.replace(/%.*$/, '').split('::')
  const words = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((word) => Number.parseInt(word, 16))
  const [first, last] = [words(head), words(tail ?? '')]
  const missing = tail === undefined ? 0 : 8 - first.length - last.length
  const all = [...first, ...Array<number>(missing).fill(0), ...last]
  return all.flatMap((word) => [word >> 8, word & 0xff])
}
