/** `peer connect ADDRESS`: calls a node, and says what comes of it. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import type { PeerView } from '../wasm.js'
import { peersTable } from './peer-list.js'

/** Calls it. */
export async function run({ home, output }: Context, _: object, address: string): Promise<void> {
  const peer = await ControlClient.connect(home).call<PeerView>('peer.connect', { address })
  output.result(peer, () => peersTable([peer]))
}
