/** Whom a node relays for, and who relays for it: what the control API answers. */
import type { Node } from '../node.js'

/** A node's relaying. */
export interface RelayStatus {
  /** Whether it can be a relay: it listens where others can call it. */
  readonly serves: boolean
  /** Whether its owner lets others reach each other through it. */
  readonly on: boolean
  /** Peers that can be reached through this node, and connections of others that it relays. */
  readonly reservations: number
  readonly circuits: number
  /** Addresses at which this node is reached through others. */
  readonly through: readonly string[]
  /** Peers to which it is connected through others. */
  readonly relayed: readonly string[]
}

/** Whether an address leads through another node. */
export const isCircuit = (address: string): boolean => address.includes('/p2p-circuit')

/** Reads it from a node. */
export async function relayStatus(node: Node): Promise<RelayStatus> {
  const { addresses, counters, peers } = await node.status()
  return {
    serves: addresses.some((address) => !isCircuit(address)),
    on: node.relays,
    reservations: counters['relay-reservations'] ?? 0,
    circuits: counters['relay-circuits'] ?? 0,
    through: addresses.filter(isCircuit),
    relayed: peers.filter(({ path }) => path === 'relayed').map(({ id }) => id),
  }
}
