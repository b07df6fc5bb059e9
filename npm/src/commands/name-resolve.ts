/** `name resolve NAME`: who has a name, and where that owner can be reached. */
import type { AnonymousName } from '../anonymous.js'
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import type { Paint } from '../output.js'
import type { NameView } from '../wasm.js'
import { travelText } from './finality-prove.js'

/** Options of `name resolve`. */
export interface ResolveOptions {
  readonly anonymous?: boolean
}

/** Prints how a name stands. */
export async function run(
  { home, output }: Context,
  options: ResolveOptions,
  label: string,
): Promise<void> {
  const client = ControlClient.connect(home)
  if (options.anonymous === true) {
    const found = await client.call<AnonymousName>('anonymous.name', { name: label }, 0)
    const { name, ...way } = found
    output.result(
      { ...name, ...way },
      (paint) => `${nameText(name, paint)}\n${travelText(way)}; nothing proves it`,
    )
    return
  }
  const view = await client.call<NameView>('name.resolve', { name: label })
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
