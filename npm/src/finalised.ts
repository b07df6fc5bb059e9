/**
 * What is final, one item after the other: first what there is, page by page, then what comes.
 *
 * Events only say that there is more. The items are always read from the core, so a reader that is
 * slow, or that events were lost to, misses none. Nothing of Node and nothing of a page is in here.
 */
import type { FinalItem, FinalPage } from './wasm.js'

/** Items asked for at once. */
const PAGE_ITEMS = 64

/** What is asked for items; a node of the core. */
export interface Finals {
  finalised(from: number, count: number): Promise<FinalPage>
}

/** The stream of final items of one reader. */
export class Finalised implements AsyncIterableIterator<FinalItem> {
  readonly #core: Finals
  readonly #events: AsyncIterableIterator<{ readonly type: string }>
  #next: number
  #page: FinalItem[] = []
  #ended = false

  constructor(
    core: Finals,
    events: AsyncIterableIterator<{ readonly type: string }>,
    from: number,
  ) {
    this.#core = core
    this.#events = events
    this.#next = from
  }

  async next(): Promise<IteratorResult<FinalItem, undefined>> {
    while (!this.#ended) {
      const item = this.#page.shift()
      if (item !== undefined) {
        this.#next = item.number + 1
        return { done: false, value: item }
      }
      this.#page = [...(await this.#core.finalised(this.#next, PAGE_ITEMS)).items]
      if (this.#page.length === 0 && !(await this.#more())) break
    }
    return { done: true, value: undefined }
  }

  /** Waits until something became final; false when nothing will any more. */
  async #more(): Promise<boolean> {
    for (;;) {
      const { done, value } = await this.#events.next()
      if (done === true) return false
      if (value.type === 'finalised' || value.type === 'lagged') return true
    }
  }

  async return(): Promise<IteratorResult<FinalItem, undefined>> {
    this.#ended = true
    await this.#events.return?.()
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }
}
