/** `wallet history [ID]`: final operations that moved credits of an account. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import { columns, creditsText, shortId } from '../output.js'
import type { Movement, MovementPage } from '../wasm.js'

/** Lists what moved. */
export async function run({ home, output }: Context, _: object, account?: string): Promise<void> {
  const client = ControlClient.connect(home)
  const movements: Movement[] = []
  for (let from: number | null = 0; from !== null; ) {
    const page: MovementPage = await client.call('wallet.history', { account, from })
    movements.push(...page.movements)
    from = page.next
  }
  output.result(movements, () =>
    movements.length === 0 ? 'nothing was paid yet' : movementsText(movements),
  )
}

function movementsText(movements: readonly Movement[]): string {
  const rows = movements.map(({ number, kind, from, to, microCredits, memo }) => [
    String(number),
    kind,
    shortId(from),
    shortId(to),
    creditsText(microCredits),
    memo,
  ])
  return columns([['number', 'kind', 'from', 'to', 'credits', 'memo'], ...rows])
}
