/**
 * Who is connected, as a stream of changes: first everybody who is there, then who comes and goes.
 *
 * Events only say that there is something to look at; the list is always read from the core. So a
 * reader that is slow, or that events were lost to, ends up with the right list all the same.
 * Nothing of Node and nothing of a page is in here.
 */
import { toSynapticError } from './errors.js'
import type { PeerView } from './wasm.js'

/** One change: somebody is there, or not any more. */
export type PeerChange =
  | { readonly state: 'connected'; readonly peer: PeerView }
  /** `reason` is empty where the event that told it was lost. */
  | { readonly state: 'disconnected'; readonly id: string; readonly reason: string }

/** What is asked for the list; a node of the core. */
export interface Connected {
  status(): Promise<{ readonly peers: readonly PeerView[] }>
}

/** What a node tells of its peers; everything else is passed over. */
interface Told {
  readonly type: string
  readonly state?: unknown
  readonly id?: unknown
  readonly reason?: unknown
}

/** The stream of changes of one reader. */
export class PeerChanges implements AsyncIterableIterator<PeerChange> {
  readonly #core: Connected
  readonly #events: AsyncIterableIterator<Told>
  readonly #known = new Set<string>()
  #changes: PeerChange[] = []
  #isFirst = true
  #ended = false

  /** `events` are those from now on. */
  constructor(core: Connected, events: AsyncIterableIterator<Told>) {
    this.#core = core
    this.#events = events
  }

  async next(): Promise<IteratorResult<PeerChange, undefined>> {
    while (!this.#ended) {
      const change = this.#changes.shift()
      if (change !== undefined) return { done: false, value: change }
      if (!this.#isFirst && !(await this.#more())) break
      this.#isFirst = false
      if (this.#changes.length === 0 && !(await this.#look())) break
    }
    return { done: true, value: undefined }
  }

  /** Waits until something changed; false when nothing will any more. */
  async #more(): Promise<boolean> {
    for (;;) {
      const { done, value } = await this.#events.next()
      if (done === true) return false
      if (value.type === 'lagged') return true
      if (value.type !== 'peer') continue
      if (value.state === 'disconnected' && this.#known.delete(String(value.id))) {
        const { id, reason } = value
        this.#changes.push({ state: 'disconnected', id: String(id), reason: String(reason) })
      }
      return true
    }
  }

  /** Compares the list with what was told; false when the node has stopped meanwhile. */
  async #look(): Promise<boolean> {
    const peers = await this.#peers()
    if (peers === undefined) return false
    const here = new Set(peers.map(({ id }) => id))
    for (const id of this.#known) {
      if (here.has(id)) continue
      this.#known.delete(id)
      this.#changes.push({ state: 'disconnected', id, reason: '' })
    }
    for (const peer of peers) {
      if (this.#known.has(peer.id)) continue
      this.#known.add(peer.id)
      this.#changes.push({ state: 'connected', peer })
    }
    return true
  }

  /** The list, unless the node has stopped. A stream that ends or fails takes no more events. */
  async #peers(): Promise<readonly PeerView[] | undefined> {
    try {
      return (await this.#core.status()).peers
    } catch (thrown) {
      await this.return()
      const error = toSynapticError(thrown)
      if (error.code === 'node-stopped') return undefined
      throw error
    }
  }

  async return(): Promise<IteratorResult<PeerChange, undefined>> {
    this.#ended = true
    await this.#events.return?.()
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
