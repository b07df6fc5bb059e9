/** `finality show ITEM`: how one item stands. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import type { ItemView } from '../wasm.js'

/** Prints how the item stands. */
export async function run({ home, output }: Context, _: object, item: string): Promise<void> {
  const view = await ControlClient.connect(home).call<ItemView>('finality.item', { item })
  output.result(view, (paint) =>
    [
      `${paint('bold', 'item')}    ${view.item}`,
      `${paint('bold', 'kind')}    ${view.kind}`,
      `${paint('bold', 'author')}  ${view.author}`,
      `${paint('bold', 'state')}   ${itemText(view)}`,
    ].join('\n'),
  )
}

/** How an item stands, in words. */
export function itemText({ state, height }: Pick<ItemView, 'state' | 'height'>): string {
  switch (state) {
    case 'final':
      return height === null
        ? 'final; no checkpoint that is remembered here holds it'
        : `final, checkpoint ${height}`
    case 'rejected':
      return 'lost to another item, for good'
    case 'forgotten':
      return 'decided long ago; this node does not remember for which item'
    case 'pending':
      return 'waits for a decision'
    default:
      return 'never voted on: it conflicts with nothing'
  }
}
