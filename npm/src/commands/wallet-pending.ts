/** `wallet pending`: own payments that are written and not final yet. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import { columns, creditsText, shortId } from '../output.js'
import type { PendingPayment } from '../pending.js'

/** Lists them. */
export async function run({ home, output }: Context): Promise<void> {
  const payments = await ControlClient.connect(home).call<PendingPayment[]>('wallet.pending')
  output.result(payments, () =>
    payments.length === 0 ? 'every payment of this node is final' : paymentsText(payments),
  )
}

function paymentsText(payments: readonly PendingPayment[]): string {
  const rows = payments.map(({ writtenMs, kind, to, microCredits, memo, item }) => [
    new Date(writtenMs).toISOString(),
    kind,
    shortId(to),
    microCredits === null ? '' : creditsText(microCredits),
    memo,
    item,
  ])
  return columns([['written', 'kind', 'to', 'credits', 'memo', 'item'], ...rows])
}
