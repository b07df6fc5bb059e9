/** `peer list`: who is connected, who is not and why, who is banned. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import { columns, type Paint } from '../output.js'
import type { AddressView, PeerView } from '../wasm.js'

/** What the command prints. */
export interface PeerList {
  readonly peers: readonly PeerView[]
  readonly unreached: readonly AddressView[]
  readonly banned: readonly string[]
}

/** Prints them. */
export async function run({ home, output }: Context): Promise<void> {
  const list = await ControlClient.connect(home).call<PeerList>('peer.list')
  output.result(list, (paint) => listText(list, paint))
}

function listText({ peers, unreached, banned }: PeerList, paint: Paint): string {
  const parts = [peers.length === 0 ? 'nobody is connected' : peersTable(peers)]
  if (unreached.length > 0) parts.push(`${paint('bold', 'not connected')}\n${away(unreached)}`)
  if (banned.length > 0) parts.push(`${paint('bold', 'banned')}\n${banned.join('\n')}`)
  return parts.join('\n\n')
}

/** Peers as a table, with whole ids: other commands take them. */
export function peersTable(peers: readonly PeerView[]): string {
  const rows = peers.map(({ id, transport, path, channel, outbound, rttMs }) => [
    id,
    transport,
    path,
    channel,
    outbound ? 'out' : 'in',
    rttMs === null ? '' : `${Math.round(rttMs)} ms`,
  ])
  return columns([['peer', 'transport', 'path', 'channel', 'dialled', 'rtt'], ...rows])
}

function away(unreached: readonly AddressView[]): string {
  return unreached
    .map(({ address, failures, reason, nextMs, dialling }) => {
      if (reason.endsWith(' is banned')) return `${address}\n    ${reason}`
      const next = dialling
        ? 'being called'
        : `next call in ${Math.ceil(nextMs / 1_000)} s at least`
      if (failures === 0 && reason === '') {
        return `${address}\n    ${dialling ? next : `not called yet; ${next}`}`
      }
      const why = reason === '' ? 'no answer' : reason
      if (failures === 0) return `${address}\n    ${why} (${next})`
      return `${address}\n    ${why} (${failures}x; ${next})`
    })
    .join('\n')
}
