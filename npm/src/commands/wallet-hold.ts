/** `wallet hold ID CREDITS`: credits set aside for somebody, and a wait until that is final. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import { creditsText, shortId } from '../output.js'
import type { ItemView, WalletView } from '../wasm.js'
import { checkPayee, readCredits } from './wallet-transfer.js'

/** Options of `wallet hold`. */
export interface HoldOptions {
  readonly arbiter?: string
  readonly refundAfter?: number
  readonly memo?: string
  readonly timeout: number
  /** Set aside although nobody can ever spend it. */
  readonly force?: boolean
}

/** Sets credits aside. */
export async function run(
  context: Context,
  { arbiter, refundAfter, memo, timeout, force }: HoldOptions,
  to: string,
  amount: string,
): Promise<void> {
  const microCredits = readCredits(amount)
  const { home, output } = context
  const client = ControlClient.connect(home)
  await checkPayee(context, client, to, force === true)
  const { height } = await client.call<WalletView>('wallet.balance')
  const refundableFrom = refundAfter === undefined ? undefined : height + refundAfter
  const body = { to, microCredits, memo, arbiter, refundableFrom, timeoutMs: timeout * 1_000 }
  const view = await client.call<ItemView>('wallet.hold', body, 0)
  output.result(
    view,
    (paint) =>
      `${paint('bold', 'held')}  ${creditsText(microCredits)} for ${shortId(to)}, final: ${view.item}`,
  )
}
