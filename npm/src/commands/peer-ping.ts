/** `peer ping NODE`: how long a peer takes to answer a question. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'

/** Asks it. */
export async function run({ home, output }: Context, _: object, peer: string): Promise<void> {
  const client = ControlClient.connect(home)
  const { id, ms } = await client.call<{ id: string; ms: number }>('peer.ping', { peer })
  output.result({ id, ms }, () => `${id} answered in ${ms} ms`)
}
