/**
 * One source of events, any number of readers.
 *
 * Each reader has a queue of its own. One that does not keep up loses the oldest events and is
 * told how many: events are hints, the truth is in the status and the history.
 */

/** Events a slow reader can fall behind before it loses some. */
const QUEUE_MAX = 1_024

/** Stands in a stream where events were lost. */
export interface Lagged {
  readonly type: 'lagged'
  readonly lost: number
}

/** One reader's stream of events. `return` ends it at once, even while `next` waits. */
export class Subscription<T> implements AsyncIterableIterator<T | Lagged> {
  readonly #queue: T[] = []
  readonly #onEnd: (reader: Subscription<T>) => void
  #lost = 0
  #wake: (() => void) | undefined
  #ended = false
  #error: unknown

  constructor(onEnd: (reader: Subscription<T>) => void) {
    this.#onEnd = onEnd
  }

  /** Adds an event, at the expense of the oldest one where the queue is full. */
  push(event: T): void {
    if (this.#ended) return
    if (this.#queue.length >= QUEUE_MAX) {
      this.#queue.shift()
      this.#lost += 1
    }
    this.#queue.push(event)
    this.#wake?.()
  }

  /** Nothing follows what is in the queue, except an error if one is given. */
  end(error?: unknown): void {
    this.#ended = true
    this.#error = error
    this.#onEnd(this)
    this.#wake?.()
  }

  async next(): Promise<IteratorResult<T | Lagged, undefined>> {
    for (;;) {
      if (this.#lost > 0) {
        const lost = this.#lost
        this.#lost = 0
        return { done: false, value: { type: 'lagged', lost } }
      }
      const event = this.#queue.shift()
      if (event !== undefined) return { done: false, value: event }
      if (this.#ended) {
        const error = this.#error
        this.#error = undefined
        if (error !== undefined) throw error
        return { done: true, value: undefined }
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  async return(): Promise<IteratorResult<T | Lagged, undefined>> {
    this.#queue.length = 0
    this.end()
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}

/** Hands every event to every reader. */
export class Hub<T> {
  readonly #readers = new Set<Subscription<T>>()
  #ended = false

  /** Gives an event to all current readers. */
  emit(event: T): void {
    for (const reader of this.#readers) reader.push(event)
  }

  /** Ends all streams, with an error if one is given. */
  end(error?: unknown): void {
    this.#ended = true
    for (const reader of [...this.#readers]) reader.end(error)
  }

  /** The events from this moment on. */
  subscribe(): Subscription<T> {
    const reader = new Subscription<T>((ended) => this.#readers.delete(ended))
    if (this.#ended) reader.end()
    else this.#readers.add(reader)
    return reader
  }
}
