/**
 * Payments that were written and are not final yet: who asked for one and did not wait for its end
 * finds it here, and does not pay twice.
 *
 * The list is kept with the history, so that it is there after a restart. How an item stands is
 * always read from the core.
 */
import { toSynapticError } from './errors.js'
import type { ItemView } from './wasm.js'

/** Older ones are forgotten beyond it; nobody waits for so many. */
const PENDING_MAX = 1_024

/** What was asked for. */
export interface Payment {
  readonly kind: 'transfer' | 'hold' | 'release' | 'refund'
  /** Node id of the payee of a transfer or hold; of an end, the hold it ends. */
  readonly to: string
  /** Millionths of a credit; null for the end of a hold. */
  readonly microCredits: number | null
  readonly memo: string
}

/** A payment that may still become final. */
export interface PendingPayment extends Payment {
  /** Id of its vertex and place of the payload in it: `bafy.../0`. */
  readonly item: string
  /** The own clock when it was written, milliseconds since 1970. */
  readonly writtenMs: number
}

/** Where the list is kept. */
export interface PendingMemory {
  recall(): string | undefined
  remember(text: string): void
}

/** The own payments that are not final. */
export class Pending {
  readonly #item: (item: string) => Promise<ItemView>
  readonly #memory: PendingMemory | undefined
  #payments: readonly PendingPayment[]

  constructor(item: (item: string) => Promise<ItemView>, memory: PendingMemory | undefined) {
    this.#item = item
    this.#memory = memory
    this.#payments = listOf(memory?.recall())
  }

  /** A payment was written. */
  add(item: string, payment: Payment): void {
    const added = { item, writtenMs: Date.now(), ...payment }
    this.#keep([...this.#payments, added].slice(-PENDING_MAX))
  }

  /** A payment is final, or lost. */
  done(item: string): void {
    this.#keep(this.#payments.filter((one) => one.item !== item))
  }

  /** Those that may still become final, oldest first. */
  async list(): Promise<PendingPayment[]> {
    const stand = await Promise.all(this.#payments.map(({ item }) => this.#isPending(item)))
    const over = new Set(this.#payments.filter((_, at) => !stand[at]).map(({ item }) => item))
    if (over.size > 0) this.#keep(this.#payments.filter(({ item }) => !over.has(item)))
    return [...this.#payments]
  }

  async #isPending(item: string): Promise<boolean> {
    try {
      const { state } = await this.#item(item)
      return state === 'pending' || state === 'free'
    } catch (thrown) {
      const error = toSynapticError(thrown)
      if (error.code === 'item-unknown') return false
      throw error
    }
  }

  #keep(payments: readonly PendingPayment[]): void {
    this.#payments = payments
    try {
      this.#memory?.remember(JSON.stringify(payments))
    } catch {
      // A full disk is reported where it matters: by the core's own writes.
    }
  }
}

function listOf(text: string | undefined): PendingPayment[] {
  try {
    return text === undefined ? [] : (JSON.parse(text) as PendingPayment[])
  } catch {
    // Only a help to the owner: what is final, and what is not, the history says.
    return []
  }
}
