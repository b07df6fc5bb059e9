/**
 * Finding members on the local network, by libp2p's mDNS (libp2p/specs, `discovery/mdns.md`).
 *
 * A node asks by multicast for `_p2p-X._udp.local`, where X are 16 bytes in hex that stand for its
 * network, and answers who asks with its addresses as `dnsaddr=` texts. Members of other networks
 * use other names, so they neither see nor call each other. Whoever is on the local network learns
 * that somebody is there, at which address, and which networks are in use; nothing proves who
 * answers, which the connection does. `followed.ts` has whom a node calls for an answer. All of it
 * is IPv4.
 */
import { createHash, randomBytes } from 'node:crypto'
import type { RemoteInfo } from 'node:dgram'
import { networkInterfaces } from 'node:os'
import type { MulticastDNS, ResponsePacket } from 'multicast-dns'
import { Followed, type Interfaces, isDirect, isOnLink, leadsTo } from './followed.js'

/** The port that RFC 6762 gives to multicast DNS. */
const PORT = 5_353
/** Seconds that an answer holds. */
const TTL_S = 120
/** A member that starts asks itself; this finds those whose answer was lost. */
const ASK_MS = 20_000
/** The first questions come sooner: multicast is lost easily. */
const ASK_EARLY_MS = [0, 1_000, 4_000]
/** One answer serves everybody who asks within this time. */
const ANSWER_MS = 500
/** Addresses told in an answer. */
const ADDRESSES_MAX = 8
/** A text in DNS has 255 bytes at most. */
const TEXT_BYTES_MAX = 255
const KEY = 'dnsaddr='

/** What is told, and to whom what is found. */
export interface DiscoveryOptions {
  /** Id of the network. */
  readonly network: string
  /** Addresses at which others on the local network can call this node; those of IPv4 are told. */
  addresses(): readonly string[]
  /** An address of a member that was not found of late. */
  found(address: string): void
  /** Multicast is not possible here; nothing is found any more. */
  failed(reason: string): void
  /** The UDP port, for tests. */
  readonly port?: number
  /** The interfaces of this machine, for tests. */
  interfaces?(): Interfaces
}

/** The name under which the members of a network are found. */
export function serviceName(network: string): string {
  const mark = createHash('sha256').update(`synaptic-mesh mdns ${network}`).digest('hex')
  return `_p2p-${mark.slice(0, 32)}._udp.local`
}

/** Asks and answers until it is closed. */
export class Discovery {
  readonly #dns: MulticastDNS
  readonly #options: DiscoveryOptions
  readonly #service: string
  /** Says nothing of the node and is new each time, as the specification wants it. */
  readonly #instance: string
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #followed = new Followed()
  #answeredMs = Number.NEGATIVE_INFINITY
  #isClosed = false

  private constructor(dns: MulticastDNS, options: DiscoveryOptions) {
    this.#dns = dns
    this.#options = options
    this.#service = serviceName(options.network)
    this.#instance = `${randomBytes(16).toString('hex')}.${this.#service}`
    dns.on('query', ({ questions = [] }) => {
      if (questions.some(({ name, type }) => name === this.#service && type === 'PTR')) {
        this.#answer()
      }
    })
    dns.on('response', (packet, from) => this.#hear(packet, from))
    // A packet that cannot be read; whoever sent it.
    dns.on('warning', () => undefined)
    dns.on('error', (error) => {
      // A port that cannot be bound is told twice.
      if (this.#isClosed) return
      this.close()
      options.failed(error.message)
    })
    for (const afterMs of ASK_EARLY_MS) this.#later(setTimeout(() => this.#ask(), afterMs))
    this.#later(setInterval(() => this.#ask(), ASK_MS))
  }

  /** Begins. The library is loaded only where it is used. */
  static async start(options: DiscoveryOptions): Promise<Discovery> {
    const { default: multicastDns } = await import('multicast-dns')
    return new Discovery(multicastDns({ port: options.port ?? PORT }), options)
  }

  /** Ends; closing twice does nothing. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const timer of this.#timers) clearInterval(timer)
    this.#dns.destroy()
  }

  #later(timer: NodeJS.Timeout): void {
    timer.unref()
    this.#timers.add(timer)
  }

  #ask(): void {
    if (!this.#isClosed) this.#dns.query([{ name: this.#service, type: 'PTR' }])
  }

  #answer(): void {
    const now = performance.now()
    if (this.#isClosed || now - this.#answeredMs < ANSWER_MS) return
    this.#answeredMs = now
    const texts = this.#options
      .addresses()
      .filter(isDirect)
      .map((address) => `${KEY}${address}`)
      .filter((text) => Buffer.byteLength(text) <= TEXT_BYTES_MAX)
      .slice(0, ADDRESSES_MAX)
    if (texts.length === 0) return
    const name = this.#instance
    this.#dns.respond({
      answers: [{ name: this.#service, type: 'PTR', ttl: TTL_S, data: name }],
      additionals: [{ name, type: 'TXT', ttl: TTL_S, data: texts }],
    })
  }

  #hear({ answers = [], additionals = [] }: ResponsePacket, from: RemoteInfo): void {
    const texts = [...answers, ...additionals].flatMap((record) => {
      if (record.type !== 'TXT' || !record.name.endsWith(`.${this.#service}`)) return []
      if (record.name === this.#instance) return []
      return [record.data].flat().slice(0, ADDRESSES_MAX).map(String)
    })
    if (texts.length === 0) return
    const interfaces = this.#options.interfaces ?? networkInterfaces
    if (!isOnLink(from.address, interfaces())) return
    for (const text of texts) this.#consider(text, from.address)
  }

  #consider(text: string, machine: string): void {
    if (!text.startsWith(KEY)) return
    const address = text.slice(KEY.length)
    if (!leadsTo(address, machine) || this.#options.addresses().includes(address)) return
    if (this.#followed.take(address, machine, performance.now())) this.#options.found(address)
  }
}
