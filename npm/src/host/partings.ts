/**
 * From whom the owner has parted, at which addresses: the core keeps away without a word, and a list
 * of addresses that are "not called" does not say why.
 *
 * The core knows a peer by its node id and an address by its transport key. Which addresses are whose
 * shows when a peer goes: those at which nobody is connected any more.
 */
import { SynapticError, toSynapticError } from '../errors.js'
import type { AddressView, PeerView } from '../wasm.js'

/** As the core keeps away from whom its owner parted from, in milliseconds. */
const PAUSE_MS = 60_000
/** Addresses that are remembered; older ones are forgotten beyond it. */
const PARTED_MAX = 1_024

/** What is asked and told; a node of the core. */
export interface PartingCore {
  addresses(): Promise<AddressView[]>
  connect(address: string): Promise<PeerView>
  peer(order: 'disconnect' | 'ban' | 'unban', peer: string): Promise<unknown>
}

interface Parting {
  readonly node: string
  readonly banned: boolean
  /** Until then the core keeps away, banned or not. */
  readonly untilMs: number
}

/** The partings of one node since it was started. */
export class Partings {
  readonly #core: PartingCore
  readonly #now: () => number
  readonly #at = new Map<string, Parting>()

  constructor(core: PartingCore, now: () => number = Date.now) {
    this.#core = core
    this.#now = now
  }

  /** Parts from a peer: for a minute, or for good. */
  async part(node: string, banned: boolean): Promise<void> {
    const before = new Set((await this.#core.addresses()).map(({ address }) => address))
    await this.#core.peer(banned ? 'ban' : 'disconnect', node)
    const after = (await this.#core.addresses()).map(({ address }) => address)
    const untilMs = banned ? 0 : this.#now() + PAUSE_MS
    for (const address of after) {
      if (!before.has(address)) this.#note(address, { node, banned, untilMs })
    }
    // It may have been parted from before.
    for (const [address, parting] of [...this.#at]) {
      if (parting.node === node) this.#note(address, { ...parting, banned })
    }
  }

  /** Takes back a ban. */
  async unban(node: string): Promise<void> {
    await this.#core.peer('unban', node)
    for (const [address, parting] of [...this.#at]) {
      if (parting.node === node) this.#at.set(address, { ...parting, banned: false })
    }
  }

  /** Addresses at which nobody is connected, each with the reason. */
  async unreached(): Promise<AddressView[]> {
    return (await this.#core.addresses()).map((view) => {
      const parting = this.#at.get(view.address)
      const isPaused = parting !== undefined && parting.untilMs > this.#now()
      if (parting?.banned === true) return { ...view, reason: `${parting.node} is banned` }
      if (!isPaused) return view
      const nextMs = Math.max(view.nextMs, parting.untilMs - this.#now())
      return { ...view, nextMs, reason: `the owner of this node parted from ${parting.node}` }
    })
  }

  /**
   * Calls an address, and waits for what comes of it.
   *
   * @throws SynapticError `peer-banned`, `unreachable`, `address-invalid`
   */
  async connect(address: string): Promise<PeerView> {
    try {
      return await this.#core.connect(address)
    } catch (thrown) {
      throw this.#explained(address, toSynapticError(thrown))
    }
  }

  #explained(address: string, error: SynapticError): SynapticError {
    const parting = this.#at.get(address)
    if (parting?.banned === true || /banned by the owner/.test(error.message)) {
      const node = parting?.node
      return new SynapticError(
        'peer-banned',
        `${address} was not called: ${node ?? 'the node there'} is banned by the owner of this node`,
        `take the ban back with \`synaptic-mesh peer unban ${node ?? 'ID'}\`; \`synaptic-mesh peer list\` shows who is banned`,
        { cause: error },
      )
    }
    const hint = HINTS.find(([pattern]) => pattern.test(error.message))?.[1]
    if (hint === undefined) return error
    return new SynapticError(error.code, error.message, hint, { cause: error })
  }

  #note(address: string, parting: Parting): void {
    this.#at.delete(address)
    this.#at.set(address, parting)
    const [oldest] = this.#at.keys()
    if (this.#at.size > PARTED_MAX && oldest !== undefined) this.#at.delete(oldest)
  }
}

/** What helps where a member that both reach would not. */
const HINTS: readonly (readonly [RegExp, string])[] = [
  [
    /keeps away from it/,
    'call again a minute after `peer disconnect`; who misbehaved is left alone for ten',
  ],
  [
    /connection is closed|refused the hello/,
    'it answered and turned this node away: its owner may have banned this one, or it has too many peers; ask its owner',
  ],
]
