/** `relay status`: whom this node relays for, and who relays for it. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import type { RelayStatus } from '../host/relay-status.js'
import { shortId } from '../output.js'

/** Prints it. */
export async function run({ home, output }: Context): Promise<void> {
  const status = await ControlClient.connect(home).call<RelayStatus>('relay.status')
  output.result(status, () => relayText(status))
}

/** A node's relaying in words. */
export function relayText(status: RelayStatus): string {
  const { serves, on, reservations, circuits, through, relayed } = status
  const now = `${reservations} peers, ${circuits} connections at the moment`
  const relays = on ? `relays for ${now}` : `relays for nobody new: ${now}`
  const ways = through.map((address) => `reached at ${address}`)
  const peers = relayed.map((id) => `connected through a relay: ${shortId(id)}`)
  return [serves ? relays : 'no relay: it does not listen', ...ways, ...peers].join('\n')
}
