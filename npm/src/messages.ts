/**
 * Sealed messages, as programs use them: texts that one node reads and no other, also when it was
 * away while they were written.
 *
 * The core seals and opens; here is what makes one stream of its pages. Nothing of Node and nothing
 * of a page is in here.
 */
import { objectArgument } from './neural/arguments.js'
import type { SealedMessage, SealedPage } from './wasm.js'

/** A text for one node. */
export interface MessageRequest {
  /** The receiver's node id or, while it is connected, its peer id. */
  readonly to: string
  /** 1 to 4,094 bytes in UTF-8. */
  readonly text: string
}

/** What is asked; a node of the core. */
export interface MessagesCore {
  sendMessage(options: { to: string; text: string }): Promise<SealedMessage>
  messages(options: { before?: string; count?: number }): Promise<SealedPage>
}

/** Sealed messages from and to this node. */
export class Messages {
  readonly #core: MessagesCore

  constructor(core: MessagesCore) {
    this.#core = core
  }

  /**
   * Seals a text for a node, and resolves when that is written; it arrives by the history, whenever
   * the receiver comes. That these two wrote to each other stays visible to everybody, and nobody
   * but the receiver can read the text again, the sender included.
   *
   * @throws SynapticError `sealed-empty`, `sealed-too-long`, `sealed-unknown-node`, `sealed-no-key`, `sealed-receiver-ended`,
   *   `sealed-key`, `bad-node-id`, and then nothing was written
   */
  send(request: MessageRequest): Promise<SealedMessage> {
    const { to, text } = objectArgument(request, 'the message', '{ to, text }')
    return this.#core.sendMessage({ to, text })
  }

  /** A page of messages from and to this node, newest first; `before` is `next` of the last page. */
  page(before?: string): Promise<SealedPage> {
    return this.#core.messages(before === undefined ? {} : { before })
  }

  /** Messages from and to this node, newest first. */
  async *list(): AsyncGenerator<SealedMessage, void, undefined> {
    for (let before: string | undefined; ; ) {
      const page: SealedPage = await this.page(before)
      yield* page.messages
      if (page.next === null) return
      before = page.next
    }
  }
}
