/** `name resolve NAME`: who has a name, and where that owner can be reached. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import type { Paint } from '../output.js'
import type { NameView } from '../wasm.js'

/** Prints how a name stands. */
export async function run({ home, output }: Context, _: object, name: string): Promise<void> {
  const view = await ControlClient.connect(home).call<NameView>('name.resolve', { name })
  output.result(view, (paint) => nameText(view, paint))
}

/** How a name stands, in words. */
export function nameText(view: NameView, paint: Paint): string {
  const { name, owner, addresses, expires, height, mine, reveal } = view
  if (owner === null) {
    const begun =
      reveal === 'none' ? '' : ', and this node has begun to register it: go on by name register'
    return `${paint('bold', name)} is free${begun}`
  }
  return [
    `${paint('bold', name)}`,
    `owner    ${owner}${mine ? ' (this node)' : ''}`,
    `expires  ${expires === 0 ? 'never' : `at checkpoint ${expires}, now at ${height}`}`,
    ...addresses.map((address) => `address  ${address}`),
  ].join('\n')
}
