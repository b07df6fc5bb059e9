/**
 * Credits and names of a node's owner, as programs use them.
 *
 * The core writes an operation and answers at once; here is what waits until it is final. Events
 * only say that something became final: how an item stands is always read from the core. That a
 * checkpoint came up is no event, so a registration looks once in a while. Nothing of Node and
 * nothing of a page is in here.
 */
import { SynapticError, toSynapticError } from './errors.js'
import { given } from './given.js'
import { requireMultiaddrs } from './multiaddr.js'
import { objectArgument } from './neural/arguments.js'
import type { NodeEvent } from './node.js'
import { type Payment, Pending, type PendingMemory, type PendingPayment } from './pending.js'
import { looked } from './poll.js'
import type {
  HoldRequest as CoreHoldRequest,
  Hold,
  HoldEnd,
  ItemView,
  Movement,
  MovementPage,
  NameChange,
  NameView,
  WalletView,
} from './wasm.js'

/** A payment to another node. */
export interface TransferRequest {
  /** The payee's node id. */
  readonly to: string
  /** 1 to 2^53 - 1 millionths of a credit. */
  readonly microCredits: number
  /** A remark, at most 128 bytes. */
  readonly memo?: string | undefined
}

/** Credits that are to be set aside for somebody. */
export interface HoldRequest extends TransferRequest {
  /** Node id of who else may release or refund them. */
  readonly arbiter?: string | undefined
  /** Height of a checkpoint from which the payer may take them back alone; never without one. */
  readonly refundableFrom?: number | undefined
}

/** How long is waited. */
export interface WaitOptions {
  /**
   * Milliseconds until `not-final`; what was written stays written, and is final when it can be.
   * A minute unless given, two for a registration.
   */
  readonly timeoutMs?: number | undefined
}

/** What is asked; a node of the core. */
export interface LedgerCore {
  item(item: string): Promise<ItemView>
  wallet(account?: string): Promise<WalletView>
  walletHistory(options: { account?: string; from?: number }): Promise<MovementPage>
  transfer(options: { to: string; microCredits: number; memo?: string }): Promise<ItemView>
  hold(options: CoreHoldRequest): Promise<ItemView>
  endHold(options: HoldEnd): Promise<ItemView>
  holds(account?: string): Promise<Hold[]>
  name(name: string): Promise<NameView>
  names(owner?: string): Promise<NameView[]>
  changeName(options: NameChange): Promise<ItemView>
}

type Events = () => AsyncIterableIterator<NodeEvent>

const FINAL_MS = 60_000
const REGISTERED_MS = 120_000
/** As the core has it; asked before a commitment is written. */
const ADDRESSES_MAX = 4

/** The credits of this node's owner, and a look at those of others. */
export class Wallet {
  readonly #core: LedgerCore
  readonly #events: Events
  readonly #pending: Pending

  constructor(core: LedgerCore, events: Events, memory?: PendingMemory) {
    this.#core = core
    this.#events = events
    this.#pending = new Pending((item) => core.item(item), memory)
  }

  /** What an account has: the own one, or that of a node id. Rejects with `no-committee`. */
  balance(account?: string): Promise<WalletView> {
    return this.#core.wallet(account)
  }

  /**
   * Pays, and resolves when the payment is final.
   *
   * @throws SynapticError `overdraft`, `account-unknown`, `amount-invalid`, `payment-to-oneself`,
   *   `ledger-text`, `bad-node-id`, and then nothing was written; `not-final`, `rejected`
   */
  async transfer(request: TransferRequest, { timeoutMs }: WaitOptions = {}): Promise<ItemView> {
    const { to, microCredits, memo } = objectArgument(
      request,
      'the payment',
      '{ to, microCredits }',
    )
    const written = await this.#core.transfer(
      memo === undefined ? { to, microCredits } : { to, microCredits, memo },
    )
    const asked = { kind: 'transfer', to, microCredits, memo: memo ?? '' } as const
    return this.#settled(written.item, asked, timeoutMs)
  }

  /**
   * Sets credits aside for somebody, and resolves when that is final; `item` is what the hold is
   * known by. They are out of reach until it ends.
   *
   * @throws SynapticError as {@link Wallet.transfer}
   */
  async hold(request: HoldRequest, { timeoutMs }: WaitOptions = {}): Promise<ItemView> {
    const { to, microCredits, memo, arbiter, refundableFrom } = objectArgument(
      request,
      'the hold',
      '{ to, microCredits }',
    )
    const wanted = given({ to, microCredits, memo, arbiter, refundableFrom })
    const written = await this.#core.hold(wanted)
    const asked = { kind: 'hold', to, microCredits, memo: memo ?? '' } as const
    return this.#settled(written.item, asked, timeoutMs)
  }

  /**
   * Pays a hold out to its payee: the payer and the arbiter may.
   *
   * @throws SynapticError `hold-unknown`, `hold-forbidden`, `item-unknown`, `not-final`, `rejected`
   */
  release(hold: string, options: WaitOptions = {}): Promise<ItemView> {
    return this.#end({ hold, end: 'release' }, options)
  }

  /**
   * Pays a hold back to its payer: the payee and the arbiter may, and the payer once it is due.
   *
   * @throws SynapticError as {@link Wallet.release}
   */
  refund(hold: string, options: WaitOptions = {}): Promise<ItemView> {
    return this.#end({ hold, end: 'refund' }, options)
  }

  /** Holds that have not ended, of an account as payer, payee or arbiter. */
  holds(account?: string): Promise<Hold[]> {
    return this.#core.holds(account)
  }

  async #end(end: HoldEnd, { timeoutMs }: WaitOptions): Promise<ItemView> {
    const { item } = await this.#core.endHold(end)
    const asked = { kind: end.end, to: end.hold, microCredits: null, memo: '' } as const
    return this.#settled(item, asked, timeoutMs)
  }

  /** Own payments that were written and are not final yet, oldest first; also after a restart. */
  pending(): Promise<PendingPayment[]> {
    return this.#pending.list()
  }

  async #settled(item: string, asked: Payment, timeoutMs = FINAL_MS): Promise<ItemView> {
    this.#pending.add(item, asked)
    try {
      const view = await settled(this.#core, this.#events, item, timeoutMs)
      this.#pending.done(item)
      return view
    } catch (thrown) {
      if (toSynapticError(thrown).code === 'rejected') this.#pending.done(item)
      throw thrown
    }
  }

  /** Final operations that moved credits of an account, oldest first. */
  async *history(
    options: { readonly account?: string | undefined; readonly from?: number | undefined } = {},
  ): AsyncGenerator<Movement, void, undefined> {
    const { account } = options
    for (let next: number | null = options.from ?? 0; next !== null; ) {
      const page: MovementPage = await this.page(account, next)
      yield* page.movements
      next = page.next
    }
  }

  /** @internal One page of what {@link Wallet.history} gives one by one. */
  page(account: string | undefined, from: number): Promise<MovementPage> {
    return this.#core.walletHistory(account === undefined ? { from } : { account, from })
  }
}

/** Names that end in `.dark`. */
export class Names {
  readonly #core: LedgerCore
  readonly #events: Events

  constructor(core: LedgerCore, events: Events) {
    this.#core = core
    this.#events = events
  }

  /** Who has a name, and where that owner can be reached. Rejects with `no-committee`. */
  resolve(name: string): Promise<NameView> {
    return this.#core.name(name)
  }

  /** Names that have not expired: of this owner, or of all. */
  list(owner?: string): Promise<NameView[]> {
    return this.#core.names(owner)
  }

  /**
   * Takes a free name: writes a commitment, waits until a checkpoint holds it, and reveals the name.
   * Called again after an interruption it goes on where it was.
   *
   * @throws SynapticError `name-taken`, `name-invalid`, `name-addresses`, `not-final`, `rejected`
   */
  async register(
    name: string,
    options: WaitOptions & { readonly addresses?: readonly string[] | undefined } = {},
  ): Promise<NameView> {
    const until = Date.now() + (options.timeoutMs ?? REGISTERED_MS)
    const addresses = options.addresses ?? []
    if (addresses.length > ADDRESSES_MAX) throw tooManyAddresses(addresses.length)
    requireMultiaddrs(addresses)
    const view = await this.#core.name(name)
    // What was interrupted may have been done in the meantime.
    if (view.mine && view.addresses.join() === addresses.join()) return view
    if (view.reveal === 'none') await this.#core.changeName({ name, change: 'commit' })
    await looked(until, 'not-final', async () => {
      const { name: whole, reveal } = await this.#core.name(name)
      if (reveal === 'waiting') throw notRegistered(whole)
    })
    return this.#change({ name, change: 'register', addresses }, until - Date.now())
  }

  /** Replaces the addresses of an own name. */
  async update(
    name: string,
    addresses: readonly string[],
    options: WaitOptions = {},
  ): Promise<NameView> {
    requireMultiaddrs(addresses)
    return this.#change({ name, change: 'update', addresses }, options.timeoutMs)
  }

  /** Prolongs an own name by a term. */
  renew(name: string, options: WaitOptions = {}): Promise<NameView> {
    return this.#change({ name, change: 'renew' }, options.timeoutMs)
  }

  /** Gives an own name to a node id. */
  transfer(name: string, to: string, options: WaitOptions = {}): Promise<NameView> {
    return this.#change({ name, change: 'transfer', to }, options.timeoutMs)
  }

  async #change(change: NameChange, timeoutMs = FINAL_MS): Promise<NameView> {
    const { item } = await this.#core.changeName(change)
    await settled(this.#core, this.#events, item, timeoutMs)
    return this.#core.name(change.name)
  }
}

/** How an item stands once it is final. */
async function settled(
  core: LedgerCore,
  events: Events,
  item: string,
  timeoutMs: number,
): Promise<ItemView> {
  const stream = events()
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(notFinal(item)), Math.max(0, timeoutMs))
  })
  // Whoever is answered in time shall not be ended by it.
  late.catch(() => undefined)
  try {
    for (;;) {
      const view = await core.item(item)
      if (view.state === 'final') return view
      if (view.state === 'rejected' || view.state === 'forgotten') throw rejected(item)
      for (let type = ''; type !== 'finalised' && type !== 'lagged'; ) {
        const next = await Promise.race([stream.next(), late])
        if (next.done === true) throw notFinal(item)
        type = next.value.type
        if (next.value.type === 'warning' && next.value.code === 'identity-ended')
          throw new SynapticError('identity-ended', next.value.message, next.value.hint)
      }
    }
  } finally {
    clearTimeout(timer)
    await stream.return?.()
  }
}

function notFinal(what: string): SynapticError {
  return new SynapticError(
    'not-final',
    `${what} is written and not final yet`,
    'it becomes final when enough members are in reach; do not write it again: `wallet pending` lists payments like it, `finality show` one item',
  )
}

function tooManyAddresses(count: number): SynapticError {
  return new SynapticError(
    'name-addresses',
    `${count} addresses where a name has at most ${ADDRESSES_MAX}`,
    'nothing was written; give fewer',
  )
}

function notRegistered(name: string): SynapticError {
  return new SynapticError(
    'not-final',
    `the commitment to ${name} is written and not final yet, and the name not registered`,
    'register it again: that goes on where this one was',
  )
}

function rejected(item: string): SynapticError {
  return new SynapticError(
    'rejected',
    `${item} lost its place to another operation, for good`,
    'read again how things stand, and decide anew',
  )
}
