/** `wallet transfer ID CREDITS`: a payment, and a wait until it is final. */
import { InvalidArgumentError } from 'commander'
import { credits } from '../arguments.js'
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import { SynapticError, toSynapticError, usageError } from '../errors.js'
import { creditsText, shortId } from '../output.js'
import type { ItemView, WalletView } from '../wasm.js'
import { withHistory } from './dag-open.js'

/** Options of `wallet transfer`. */
export interface TransferOptions {
  readonly memo?: string
  readonly timeout: number
  /** Pay although nobody can ever spend it. */
  readonly force?: boolean
}

/** Pays. */
export async function run(
  context: Context,
  { memo, timeout, force }: TransferOptions,
  to: string,
  amount: string,
): Promise<void> {
  const microCredits = readCredits(amount)
  const body = { to, microCredits, memo, timeoutMs: timeout * 1_000 }
  const { home, output } = context
  const client = ControlClient.connect(home)
  await checkPayee(context, client, to, force === true)
  const view = await client.call<ItemView>('wallet.transfer', body, 0)
  output.result(
    view,
    (paint) =>
      `${paint('bold', 'paid')}  ${creditsText(microCredits)} to ${shortId(to)}, final: ${view.item}`,
  )
}

/**
 * Looks at a payee before anything is written. A node id has no checksum: who mistypes one pays
 * nobody, and nobody can give it back. An identity that equivocated can spend nothing any more.
 *
 * @throws SynapticError `payee-ended`, unless it is to be paid all the same
 */
export async function checkPayee(
  context: Context,
  client: ControlClient,
  to: string,
  force: boolean,
): Promise<void> {
  const { open } = await client.call<WalletView>('wallet.balance', { account: to })
  if (!open) {
    context.output.note(
      `${shortId(to)} was never paid anything; if the id is mistyped, the credits are lost`,
    )
  }
  if (force || !(await hasEnded(context, to))) return
  throw new SynapticError(
    'payee-ended',
    `${shortId(to)} signed two vertices in one place and is shut out: nobody can spend what it is paid`,
    'nothing was written; ask its owner for the id of a new identity, or add --force to pay all the same',
  )
}

/** Whether an author equivocated, by the history of this home; not known where that is nowhere. */
async function hasEnded(context: Context, author: string): Promise<boolean> {
  try {
    return await withHistory(context, (history) =>
      history.stats().authors.some((one) => one.author === author && one.equivocated !== null),
    )
  } catch (thrown) {
    if (toSynapticError(thrown).code === 'no-history') return false
    throw thrown
  }
}

/** An amount from the command line. */
export function readCredits(text: string): number {
  try {
    return credits(text)
  } catch (thrown) {
    if (thrown instanceof InvalidArgumentError) throw usageError(thrown.message)
    throw thrown
  }
}
