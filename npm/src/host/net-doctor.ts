/** What stands between a running node and others: what `net doctor` shows. */
import { BlockList } from 'node:net'
import { type Check, failed, ok, type Result, warning } from '../checks.js'
import { toSynapticError } from '../errors.js'
import { counted, shortId } from '../output.js'
import type { AddressView, PeerView } from '../wasm.js'
import { isCircuit } from './relay-status.js'
import { isLoopback } from './sockets.js'

/** What is asked; a node. */
export interface Examined {
  readonly relays: boolean
  /** Whether it goes on directly with whom it meets through a relay. */
  readonly webrtc: 'on' | 'off' | 'missing'
  /** Whether it looks for members on the local network. */
  readonly looksAround: boolean
  status(): Promise<{
    readonly addresses: readonly string[]
    readonly peers: readonly PeerView[]
    readonly banned: readonly string[]
    readonly counters: Readonly<Record<string, number>>
  }>
  unreached(): Promise<readonly AddressView[]>
  ping(peer: string): Promise<number>
}

/** Peers that are asked something, and calls that are shown. */
const SHOWN_MAX = 8
/** Longer than that, a peer holds up whoever waits for it (milliseconds). */
const SLOW_MS = 1_000

/** Addresses of homes, offices, carriers and of one machine (RFC 1918, 6598, 3927, 4193, 4291). */
const HOME = new BlockList()
for (const [net, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
] as const) {
  HOME.addSubnet(net, prefix, 'ipv4')
}
for (const [net, prefix] of [
  ['::', 127],
  ['fc00::', 7],
  ['fe80::', 10],
] as const) {
  HOME.addSubnet(net, prefix, 'ipv6')
}

/** Looks at everything, and asks peers something. */
export async function examine(node: Examined): Promise<Check[]> {
  const [status, unreached] = await Promise.all([node.status(), node.unreached()])
  const { addresses, peers, banned, counters } = status
  const looks: [string, Result | Promise<Result>][] = [
    ['listening', listening(addresses)],
    ['callers', callers(addresses)],
    ['relay', relay(node.relays, counters)],
    ['webrtc', webrtc(node.webrtc)],
    ['local', local(node.looksAround, addresses)],
    ['peers', connected(peers, banned)],
    ['answers', answers(node, peers)],
    ['calls', calls(unreached, peers.length > 0)],
    ['clocks', clocks(counters['vertex-ahead-of-time'] ?? 0)],
  ]
  return Promise.all(looks.map(async ([name, look]) => ({ name, ...(await look) })))
}

const hostOf = (address: string): string => address.split('/')[2] ?? ''
const isOwn = (address: string): boolean => isLoopback(hostOf(address))

/** Whether the whole network can call an address, as far as the address says. */
function isPublic(address: string): boolean {
  const [, kind] = address.split('/')
  const host = hostOf(address)
  if (isCircuit(address) || isOwn(address)) return false
  if (kind === 'ip4') return !HOME.check(host, 'ipv4')
  if (kind === 'ip6') return !HOME.check(host, 'ipv6')
  return /^dns[46]?$/.test(kind ?? '') && !/(^|\.)local$/i.test(host)
}

function listening(addresses: readonly string[]): Result {
  const own = addresses.filter((address) => !isCircuit(address))
  if (own.length === 0) return failed('it listens nowhere', 'start it again')
  if (!own.every(isOwn)) return ok(own.map(withoutPeer).join(', '))
  return warning(
    `only programs of this machine can call it: ${own.map(withoutPeer).join(', ')}`,
    'to be called by other machines: `synaptic-mesh start --host 0.0.0.0`',
  )
}

function callers(addresses: readonly string[]): Result {
  const known = addresses.filter(isPublic)
  if (known.length > 0) return ok(`a public address: ${known.map(withoutPeer).join(', ')}`)
  const through = addresses.filter(isCircuit).length
  if (through > 0) return ok(`from outside through ${counted(through, 'relay')}`)
  if (addresses.every(isOwn)) return ok('nobody outside is meant to call it')
  return warning(
    'nobody outside this network can call it, as far as it knows',
    'forward its port and say so, `start --announce /ip4/ADDRESS/tcp/PORT/ws`, or call a member at a public address, `start --relay ADDRESS`',
  )
}

function relay(on: boolean, counters: Readonly<Record<string, number>>): Result {
  if (!on) return ok('off: members that cannot call each other do not meet here')
  const [peers, open] = [counters['relay-reservations'] ?? 0, counters['relay-circuits'] ?? 0]
  return ok(`on, for ${counted(peers, 'peer')}, ${counted(open, 'connection')} at the moment`)
}

function webrtc(is: Examined['webrtc']): Result {
  if (is === 'on') return ok('goes on directly with whom it meets through a relay')
  if (is === 'off') return ok('off: whom it meets through a relay, it stays with there')
  return warning(
    'not here: whom it meets through a relay, it stays with there',
    '`npm install node-datachannel`, and start it again; or `synaptic-mesh config set webrtc off`',
  )
}

function local(looksAround: boolean, addresses: readonly string[]): Result {
  if (looksAround) return ok('finds members on the local network')
  if (addresses.every((address) => isCircuit(address) || isOwn(address))) {
    return ok('looks for nobody: it listens on loopback')
  }
  return warning(
    'does not look for members on the local network',
    '`synaptic-mesh config set mdns on`, and start it again',
  )
}

function connected(peers: readonly PeerView[], banned: readonly string[]): Result {
  const kept = banned.length === 0 ? '' : `, ${counted(banned.length, 'node')} banned`
  if (peers.length === 0) {
    return warning(
      `nobody is connected${kept}`,
      'give others the link of `synaptic-mesh status`, or join by theirs: `synaptic-mesh join LINK`',
    )
  }
  const relayed = peers.filter(({ path }) => path === 'relayed').length
  const classical = peers.filter(({ channel }) => channel === 'classical').length
  const through = relayed === 0 ? '' : `, ${relayed} through relays`
  const without = classical === 0 ? '' : `, ${classical} without the hybrid channel`
  return ok(`${counted(peers.length, 'peer')}${through}${without}${kept}`)
}

async function answers(node: Examined, peers: readonly PeerView[]): Promise<Result> {
  if (peers.length === 0) return ok('nobody to ask')
  const asked = peers.slice(0, SHOWN_MAX)
  const told = await Promise.all(
    asked.map(({ id }) =>
      node.ping(id).then(
        (ms) => ({ id, ms, why: '' }),
        (thrown) => ({ id, ms: Number.POSITIVE_INFINITY, why: toSynapticError(thrown).message }),
      ),
    ),
  )
  const silent = told.filter(({ why }) => why !== '')
  if (silent.length > 0) {
    return warning(
      silent.map(({ id, why }) => `${shortId(id)}: ${why}`).join('; '),
      'see `synaptic-mesh peer trace ID`; `peer disconnect ID` parts from it for a minute',
    )
  }
  const slowest = Math.max(...told.map(({ ms }) => ms))
  const said = `${counted(asked.length, 'peer')} answered, the slowest in ${Math.round(slowest)} ms`
  if (slowest < SLOW_MS) return ok(said)
  return warning(said, 'the line or a machine is busy: `synaptic-mesh peer list` shows whose')
}

function calls(unreached: readonly AddressView[], isConnected: boolean): Result {
  const failing = unreached.filter(({ failures }) => failures > 0)
  if (failing.length === 0) return ok('none fails')
  const shown = failing.slice(0, SHOWN_MAX)
  const said = shown.map(({ address, reason }) => `${withoutPeer(address)}: ${reason}`).join('; ')
  const more = failing.length > shown.length ? `; and ${failing.length - shown.length} more` : ''
  const say = isConnected ? warning : failed
  return say(said + more, 'what each says; `synaptic-mesh peer list` has them all')
}

function clocks(ahead: number): Result {
  if (ahead === 0) return ok('nobody is ahead of this one')
  return warning(
    `${counted(ahead, 'vertex', 'vertices')} came from a time ahead of this clock`,
    'set the clock of this machine, or of theirs',
  )
}

/** An address without the peer id at its end. */
function withoutPeer(address: string): string {
  return isCircuit(address) ? address : address.replace(/\/p2p\/[^/]+$/, '')
}
