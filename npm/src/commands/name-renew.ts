/** `name renew NAME`: prolongs an own name by a term. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import type { NameView } from '../wasm.js'
import { nameText } from './name-resolve.js'

/** Renews the name. */
export async function run({ home, output }: Context, _: object, name: string): Promise<void> {
  const view = await ControlClient.connect(home).call<NameView>('name.renew', { name }, 0)
  output.result(view, (paint) => nameText(view, paint))
}
