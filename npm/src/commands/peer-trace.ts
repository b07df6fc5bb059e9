/** `peer trace NODE`: the way on which a peer is reached, and why others come to nothing. */
import { ControlClient } from '../client.js'
import type { Context } from '../context.js'
import type { PeerTrace, TracedFailure } from '../host/trace.js'
import { columns, type Paint } from '../output.js'

/** Finds out. */
export async function run({ home, output }: Context, _: object, peer: string): Promise<void> {
  const told = await ControlClient.connect(home).call<PeerTrace>('peer.trace', { peer })
  output.result(told, (paint) => traceText(told, paint))
}

function traceText(trace: PeerTrace, paint: Paint): string {
  const parts = [trace.connected ? wayText(trace) : 'it is not connected']
  if (trace.failures.length > 0) {
    parts.push(`${paint('bold', 'ways that fail')}\n${trace.failures.map(failureText).join('\n')}`)
  }
  return parts.join('\n\n')
}

function wayText({ id, path, relay, address, channel, outbound, ...times }: PeerTrace): string {
  const through = relay === null ? '' : `, through ${relay}`
  const { rttMs, answeredMs } = times
  return columns([
    ['peer', id ?? ''],
    ['path', `${path}${through}`],
    ['address', address ?? ''],
    ['channel', channel ?? ''],
    ['called by', outbound === true ? 'this node' : 'the peer'],
    ['round trip', rttMs === null ? 'not measured yet' : `${Math.round(rttMs)} ms`],
    ['answer', answeredMs === null ? 'none' : `after ${answeredMs} ms`],
  ])
}

function failureText({ address, failures, reason }: TracedFailure): string {
  return `${address}\n    ${reason === '' ? 'no answer' : reason} (${failures}x)`
}
