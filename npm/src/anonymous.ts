/**
 * Anonymous questions, as programs use them. Experimental.
 *
 * The core wraps a question for three members, unwraps the reply and checks it; here is its shape for
 * programs. Nothing of Node and nothing of a page is in here.
 */
import type { AnonymousAnswer, NameView } from './wasm.js'

/** How a question travelled. */
export interface Travelled {
  /** Relays of each path (count), the one that answers included. */
  readonly relays: number
  /** Exits that answered and agree (count). */
  readonly exits: number
  /** Milliseconds from the question to the answer. */
  readonly ms: number
}

/** A proof that was asked for anonymously, verified against the genesis. */
export interface AnonymousProof extends Travelled {
  readonly proof: Uint8Array
}

/** How a name stands, as two exits say; nothing proves it. */
export interface AnonymousName extends Travelled {
  readonly name: NameView
}

/** What is asked; a node of the core. */
export interface AnonymousCore {
  askAnonymously(question: { proof?: string; name?: string }): Promise<AnonymousAnswer>
}

/**
 * Questions to other members, over three relays of which none learns both who asks and what. Whoever
 * sees the first and the last of them can tell by the time.
 */
export class Anonymous {
  readonly #core: AnonymousCore

  constructor(core: AnonymousCore) {
    this.#core = core
  }

  /**
   * Proof that an item is final, as another member has it; it was verified here.
   *
   * @throws SynapticError `onion-too-few`, `onion-no-way`, `onion-refused`,
   *   `onion-question-too-long`, `sampling-no-proof`
   */
  async proof(item: string): Promise<AnonymousProof> {
    const { proof, relays, exits, ms } = await this.#core.askAnonymously({ proof: item })
    if (proof === null) throw new Error('the core answered another question')
    return { proof, relays, exits, ms }
  }

  /**
   * Who has a name, as two other members say. They could lie together: of what matters, ask for the
   * proof of its item.
   *
   * @throws SynapticError `onion-too-few`, `onion-no-way`, `onion-refused`, `onion-disagreed`, and
   *   what is wrong with the name
   */
  async name(label: string): Promise<AnonymousName> {
    const { name, relays, exits, ms } = await this.#core.askAnonymously({ name: label })
    if (name === null) throw new Error('the core answered another question')
    return { name, relays, exits, ms }
  }
}
