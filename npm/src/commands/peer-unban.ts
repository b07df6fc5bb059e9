/** `peer unban NODE`: takes back a ban. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'

/** Does it. */
export async function run({ home, output }: Context, _: object, peer: string): Promise<void> {
  const done = await ControlClient.connect(home).call<{ id: string }>('peer.unban', { peer })
  output.result(done, () => `not banned any more: ${done.id}`)
}
