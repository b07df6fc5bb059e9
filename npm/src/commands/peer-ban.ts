/** `peer ban NODE`: parts from a node for good. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'

/** Does it. */
export async function run({ home, output }: Context, _: object, peer: string): Promise<void> {
  const done = await ControlClient.connect(home).call<{ id: string }>('peer.ban', { peer })
  output.result(done, () => `banned ${done.id}`)
}
