/**
 * Which answers of mDNS a node follows.
 *
 * Nothing in an answer proves who sent it, and the source of a datagram can be forged. So an answer
 * leads only to the machine that it says it comes from, that machine is on a subnet of this one
 * (RFC 6762, section 11), and few addresses are called at a time, of one machine and in all. Whoever
 * forges sources can still make a node call machines beside it, but not many, and none elsewhere.
 */
import { BlockList } from 'node:net'
import type { networkInterfaces } from 'node:os'

/** The interfaces of this machine, as `os.networkInterfaces` tells them. */
export type Interfaces = ReturnType<typeof networkInterfaces>

/**
 * How long an address counts. The core never forgets one that it is told to call, so this bounds
 * how fast a liar fills its book of 256: not within a working day.
 */
const FOLLOWED_MS = 3_600_000
/** Addresses that count at a time: each leads to a member that tells of the others. */
const FOLLOWED_MAX = 16
/** Of one machine: a node, and another one or itself started again at another port. */
const FOLLOWED_OF_MACHINE_MAX = 2
/** An address at which members call each other directly, with its host: IPv4, as the socket is. */
const ADDRESS = /^\/ip4\/([\d.]{7,15})\/tcp\/\d{1,5}\/ws\/p2p\/[1-9A-HJ-NP-Za-km-z]+$/

/** The addresses that were followed of late. */
export class Followed {
  readonly #entries = new Map<string, { readonly machine: string; readonly untilMs: number }>()

  /** Whether to call an address that a machine told; from then on it counts. */
  take(address: string, machine: string, nowMs: number): boolean {
    for (const [known, { untilMs }] of this.#entries) {
      if (untilMs <= nowMs) this.#entries.delete(known)
    }
    if (this.#entries.has(address) || this.#entries.size >= FOLLOWED_MAX) return false
    const ofMachine = [...this.#entries.values()].filter((entry) => entry.machine === machine)
    if (ofMachine.length >= FOLLOWED_OF_MACHINE_MAX) return false
    this.#entries.set(address, { machine, untilMs: nowMs + FOLLOWED_MS })
    return true
  }
}

/** Whether an address is one that is told and followed at all. */
export function isDirect(address: string): boolean {
  return ADDRESS.test(address)
}

/** Whether an address is one of a node on this machine and of no other. */
export function leadsTo(address: string, machine: string): boolean {
  return ADDRESS.exec(address)?.[1] === machine
}

/** Whether a machine is on a subnet of one of the interfaces. */
export function isOnLink(machine: string, interfaces: Interfaces): boolean {
  const links = new BlockList()
  for (const { family, address, cidr } of Object.values(interfaces).flatMap((of) => of ?? [])) {
    const prefix = cidr?.split('/')[1]
    if (family === 'IPv4' && prefix !== undefined) links.addSubnet(address, Number(prefix))
  }
  return links.check(machine)
}
