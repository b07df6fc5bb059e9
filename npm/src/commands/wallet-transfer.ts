/** `wallet transfer ID CREDITS`: a payment, and a wait until it is final. */
import { InvalidArgumentError } from 'commander'
import { credits } from '../arguments.js'
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import { usageError } from '../errors.js'
import { creditsText, type Output, shortId } from '../output.js'
import type { ItemView, WalletView } from '../wasm.js'

/** Options of `wallet transfer`. */
export interface TransferOptions {
  readonly memo?: string
  readonly timeout: number
}

/** Pays. */
export async function run(
  { home, output }: Context,
  { memo, timeout }: TransferOptions,
  to: string,
  amount: string,
): Promise<void> {
  const microCredits = readCredits(amount)
  const body = { to, microCredits, memo, timeoutMs: timeout * 1_000 }
  const client = ControlClient.connect(home)
  await warnOfStranger(client, output, to)
  const view = await client.call<ItemView>('wallet.transfer', body, 0)
  output.result(
    view,
    (paint) =>
      `${paint('bold', 'paid')}  ${creditsText(microCredits)} to ${shortId(to)}, final: ${view.item}`,
  )
}

/** A node id has no checksum: who mistypes one pays nobody, and nobody can give it back. */
export async function warnOfStranger(
  client: ControlClient,
  output: Output,
  to: string,
): Promise<void> {
  const { open } = await client.call<WalletView>('wallet.balance', { account: to })
  if (open) return
  output.note(`${shortId(to)} was never paid anything; if the id is mistyped, the credits are lost`)
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
