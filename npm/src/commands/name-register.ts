/** `name register NAME`: takes a free name, in two steps with a checkpoint between them. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import type { NameView } from '../wasm.js'
import { nameText } from './name-resolve.js'

/** Options of `name register`. */
export interface RegisterOptions {
  readonly address: readonly string[]
  readonly timeout: number
}

/** Registers the name; again after an interruption it goes on. */
export async function run(
  { home, output }: Context,
  { address, timeout }: RegisterOptions,
  name: string,
): Promise<void> {
  const body = { name, addresses: address, timeoutMs: timeout * 1_000 }
  const view = await ControlClient.connect(home).call<NameView>('name.register', body, 0)
  output.result(view, (paint) => nameText(view, paint))
}
