/** `wallet release ITEM` and `wallet refund ITEM`: a hold paid out, or back. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import type { ItemView } from '../wasm.js'

/** Options of both. */
export interface EndOptions {
  readonly timeout: number
}

/** How a hold ends. */
export type End = 'release' | 'refund'

/** The command that ends a hold in this way. */
export function ends(end: End): {
  run: (context: Context, options: EndOptions, hold: string) => Promise<void>
} {
  const said = end === 'release' ? 'paid out' : 'paid back'
  return {
    run: async ({ home, output }, { timeout }, hold) => {
      const body = { hold, timeoutMs: timeout * 1_000 }
      const view = await ControlClient.connect(home).call<ItemView>(`wallet.${end}`, body, 0)
      output.result(view, (paint) => `${paint('bold', said)}  ${hold}, final: ${view.item}`)
    },
  }
}
