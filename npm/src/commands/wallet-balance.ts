/** `wallet balance [ID]`: what an account has. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import { creditsText } from '../output.js'
import type { WalletView } from '../wasm.js'

/** Prints what the account has. */
export async function run({ home, output }: Context, _: object, account?: string): Promise<void> {
  const client = ControlClient.connect(home)
  const view = await client.call<WalletView>('wallet.balance', { account })
  output.result(view, (paint) =>
    [
      `${paint('bold', 'account')}    ${view.account}${view.open ? '' : ' (never credited)'}`,
      `${paint('bold', 'balance')}    ${creditsText(view.balance)}`,
      `${paint('bold', 'available')}  ${creditsText(view.available)}`,
      `${paint('bold', 'certified')}  ${creditsText(view.certified)}, checkpoint ${view.height}`,
    ].join('\n'),
  )
}
