/** `finality list`: final items, in the order in which the node saw them. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import { columns, shortId } from '../output.js'
import type { FinalItem, FinalPage } from '../wasm.js'

/** Options of `finality list`. */
export interface ListOptions {
  readonly from: number
}

/** Lists what is final. */
export async function run({ home, output }: Context, { from }: ListOptions): Promise<void> {
  const client = ControlClient.connect(home)
  const items: FinalItem[] = []
  for (let next = from; ; ) {
    const page = await client.call<FinalPage>('finality.list', { from: next })
    items.push(...page.items)
    next += page.items.length
    if (page.items.length === 0 || next >= page.total) break
  }
  const none = from === 0 ? 'nothing is final yet' : `nothing is final from number ${from} on`
  output.result(items, () => (items.length === 0 ? none : itemsText(items)))
}

function itemsText(items: readonly FinalItem[]): string {
  const rows = items.map(({ number, item, kind, author }) => [
    String(number),
    kind,
    shortId(author),
    item,
  ])
  return columns([['number', 'kind', 'author', 'item'], ...rows])
}
