/**
 * Peers that come and go without end, as two processes with one identity do: each takes the other's
 * connections away. One warning says what that is; a line for each turn says nothing.
 */
import type { NodeEvent } from '../node.js'

/** Losses of one peer within {@link WINDOW_MS} after which it flaps: a network that is bad does less. */
const LOSSES = 4
const WINDOW_MS = 60_000
/** A warning about one peer is not repeated within this time. */
const REPEAT_MS = 600_000
/** Peers that are counted; more than a node has. */
const PEERS_MAX = 256

interface Losses {
  atMs: number[]
  warnedMs: number
}

/** What the node tells when a peer flaps. */
export type FlapWarning = Extract<NodeEvent, { readonly type: 'warning' }>

/** Counts how often each peer is lost. */
export class Flapping {
  readonly #peers = new Map<string, Losses>()
  readonly #now: () => number

  constructor(now: () => number = () => performance.now()) {
    this.#now = now
  }

  /** Takes note of an event; a warning when it is one loss too many. */
  observe(event: NodeEvent): FlapWarning | undefined {
    if (event.type !== 'peer' || event.state !== 'disconnected') return undefined
    const now = this.#now()
    const losses = this.#of(event.id)
    losses.atMs = [...losses.atMs.filter((at) => now - at < WINDOW_MS), now].slice(-LOSSES)
    if (!this.isFlapping(event.id) || now - losses.warnedMs < REPEAT_MS) return undefined
    losses.warnedMs = now
    return warning(event.id, event.reason === REPLACED)
  }

  /** Whether a peer has come and gone too often of late. */
  isFlapping(id: string): boolean {
    const now = this.#now()
    const atMs = this.#peers.get(id)?.atMs ?? []
    return atMs.filter((at) => now - at < WINDOW_MS).length >= LOSSES
  }

  #of(id: string): Losses {
    const known = this.#peers.get(id) ?? { atMs: [], warnedMs: Number.NEGATIVE_INFINITY }
    this.#peers.delete(id)
    this.#peers.set(id, known)
    const [oldest] = this.#peers.keys()
    if (this.#peers.size > PEERS_MAX && oldest !== undefined) this.#peers.delete(oldest)
    return known
  }
}

/** As the core says it when an identity calls a second time. */
const REPLACED = 'replaced by a newer connection'

function warning(id: string, isTwice: boolean): FlapWarning {
  return {
    type: 'warning',
    code: 'peer-flaps',
    message: isTwice
      ? `${id} connects again and again while it is connected: a copy of its home seems to run elsewhere`
      : `the connection with ${id} is lost again and again`,
    hint: isTwice
      ? 'its owner has to end one of the two for good: an identity that signs in two places is shut out'
      : 'if a copy of this home runs elsewhere, end this node or that one for good, before either writes: an identity that signs in two places is shut out; else look at the network between the two',
  }
}
