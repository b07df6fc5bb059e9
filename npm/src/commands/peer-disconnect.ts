/** `peer disconnect NODE`: parts from a peer. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'

/** Does it. */
export async function run({ home, output }: Context, _: object, peer: string): Promise<void> {
  const done = await ControlClient.connect(home).call<{ id: string }>('peer.disconnect', { peer })
  output.result(done, () => `parted from ${done.id}`)
}
