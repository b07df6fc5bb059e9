/** Whom a node relays for, and who relays for it: what the control API answers. */
import type { NodeStatus } from '../node.js'

/** A node's relaying. */
export interface RelayStatus {
  /** Whether it can be a relay: it listens where others can call it. */
  readonly serves: boolean
  /** Peers that can be reached through this node, and connections of others that it relays. */
  readonly reservations: number
  readonly circuits: number
  /** Addresses at which this node is reached through others. */
  readonly through: readonly string[]
  /** Peers to which it is connected through others. */
  readonly relayed: readonly string[]
}

/** Reads it from the status. */
export function relayStatus({ addresses, counters, peers }: NodeStatus): RelayStatus {
  const isThroughOthers = (address: string): boolean => address.includes('/p2p-circuit')
  return {
    serves: addresses.some((address) => !isThroughOthers(address)),
    reservations: counters['relay-reservations'] ?? 0,
    circuits: counters['relay-circuits'] ?? 0,
    through: addresses.filter(isThroughOthers),
    relayed: peers.filter(({ path }) => path === 'relayed').map(({ id }) => id),
  }
}
