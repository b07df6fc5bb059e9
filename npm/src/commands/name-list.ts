/** `name list`: names that have not expired. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import { columns, shortId } from '../output.js'
import type { NameView } from '../wasm.js'

/** Options of `name list`. */
export interface ListOptions {
  readonly owner?: string
}

/** Lists names. */
export async function run({ home, output }: Context, { owner }: ListOptions): Promise<void> {
  const names = await ControlClient.connect(home).call<NameView[]>('name.list', { owner })
  const none = owner === undefined ? 'nobody has a name yet' : `${shortId(owner)} has no name`
  const rows = names.map(({ name, owner, expires }) => [
    name,
    owner === null ? '' : shortId(owner),
    expires === 0 ? 'never' : String(expires),
  ])
  output.result(names, () =>
    rows.length === 0 ? none : columns([['name', 'owner', 'expires'], ...rows]),
  )
}
