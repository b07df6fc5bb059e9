/** What a node in Node.js is made of: identity, store, sockets, the core. */
import type { Problem } from './errors.js'
import { coded } from './host/coded.js'
import {
  Calls,
  hostWith,
  interfaceAddresses,
  isLoopback,
  MeshListener,
  withPeerId,
} from './host/sockets.js'
import type { SqliteStore } from './host/store.js'
import { StunServer } from './host/stun.js'
import { peerConnections } from './host/webrtc.js'
import type { Lock } from './lock.js'
import type { NodeOptions } from './node-options.js'
import { openHome } from './open-home.js'
import { TrainingPool } from './training/pool.js'
import type { GenesisView, MeshModule, MeshNode } from './wasm.js'

/** Who can call a node that says nothing else: this machine. */
export const LOOPBACK = '127.0.0.1'

/** The parts of one node. */
export interface Parts {
  readonly core: MeshNode
  readonly listener: MeshListener
  readonly stun: StunServer | undefined
  /** Whether it goes on directly, by WebRTC, with whom it meets through a relay. */
  readonly webrtc: 'on' | 'off' | 'missing'
  readonly store: SqliteStore | undefined
  readonly lock: Lock | undefined
  readonly pool: TrainingPool
  readonly calls: Calls
  readonly network: string
  readonly genesis: Uint8Array | undefined
  /** What the genesis says. */
  readonly began: GenesisView | undefined
  readonly name: string
  /** Addresses told to others besides those the core listens on. */
  readonly advertise: readonly string[]
  readonly mended: readonly Problem[]
}

/** Makes them; what was made before something failed is in `undo`. */
export async function makeParts(
  mesh: MeshModule,
  options: NodeOptions,
  asked: string | undefined,
  name: string,
  undo: (() => void | Promise<void>)[],
): Promise<Parts> {
  const opened = openHome(mesh, options, asked, undo)
  const { identity, network, genesis, invite, store, lock, mended } = opened
  const host = options.host ?? LOOPBACK
  const listener = await MeshListener.bind(host, options.port ?? 0, options.exactPort ?? false)
  undo.push(() => listener.close())
  const pool = new TrainingPool(options.threads)
  undo.push(() => pool.close())
  const own = interfaceAddresses(host, listener.port, identity.peerId)
  const announced = (options.advertise ?? []).map((one) => withPeerId(one, identity.peerId))
  const advertise = [...announced, ...own]
  const calls = new Calls()
  const isDirect = options.webrtc !== 'off'
  const peer = isDirect ? await peerConnections(options.iceServers) : undefined
  const made = await mesh.MeshNode.create({
    network,
    ...(genesis === undefined ? {} : { genesis }),
    ...(invite === undefined ? {} : { invite }),
    name,
    secrets: identity.secrets,
    storage: store === undefined ? { kind: 'memory' } : { kind: 'host', store },
    host: hostWith(listener, calls, peer),
    listen: [{ host, port: listener.port }],
    advertise,
    bootstrap: options.bootstrap ?? [],
    history: options.history ?? 'recent',
    classical: options.classical ?? 'refuse',
    relay: options.relay ?? 'on',
    relaying: options.relaying ?? 'on',
  })
  const core = coded(made)
  const stun = isLoopback(host)
    ? undefined
    : await StunServer.bind(host, listener.port, () => isRelay(core))
  return {
    core,
    listener,
    stun,
    webrtc: isDirect ? (peer === undefined ? 'missing' : 'on') : 'off',
    store,
    lock,
    pool,
    calls,
    network,
    genesis,
    began: genesis === undefined ? undefined : mesh.inspectGenesis(genesis),
    name,
    advertise,
    mended,
  }
}

/** Whether a node relays; one that has ended does not, and says so by an error. */
function isRelay(core: MeshNode): boolean {
  try {
    return core.relays
  } catch {
    return false
  }
}
