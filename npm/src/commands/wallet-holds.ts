/** `wallet holds [ID]`: credits that are set aside and who may end that. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import { columns, creditsText, shortId } from '../output.js'
import type { Hold } from '../wasm.js'

/** Lists holds that have not ended. */
export async function run({ home, output }: Context, _: object, account?: string): Promise<void> {
  const holds = await ControlClient.connect(home).call<Hold[]>('wallet.holds', { account })
  output.result(holds, () => (holds.length === 0 ? 'nothing is set aside' : holdsText(holds)))
}

function holdsText(holds: readonly Hold[]): string {
  const rows = holds.map(({ item, from, to, microCredits, arbiter, refundableFrom, height }) => [
    shortId(from),
    shortId(to),
    creditsText(microCredits),
    arbiter === null ? '' : shortId(arbiter),
    refundText(refundableFrom, height),
    item,
  ])
  return columns([['from', 'to', 'credits', 'arbiter', 'payer may refund', 'item'], ...rows])
}

function refundText(from: number | null, height: number): string {
  if (from === null) return 'never'
  return from <= height ? 'now' : `in ${from - height} checkpoints`
}
