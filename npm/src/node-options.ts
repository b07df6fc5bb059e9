/** What `createNode` reads, in Node and in a page. */
import type { Home } from './home.js'
import { objectArgument, onlyKnown } from './neural/arguments.js'

/** A server of STUN or TURN, as an `RTCIceServer` of browsers. */
export interface IceServer {
  readonly urls: string | readonly string[]
  readonly username?: string
  readonly credential?: string
}

/** What a node is made with; everything has a default. */
export interface NodeOptions {
  /** Directory of identity and history; without one the node forgets everything at its end. */
  readonly home?: string | Home | undefined
  /** Id of the network; from the join link, else that of the home, else a new one, if absent. */
  readonly network?: string | undefined
  /**
   * What the network began with, when its id is the hash of that; from the join link or the home
   * if absent. Without one nothing is ever final, and everybody may enter.
   */
  readonly genesis?: Uint8Array | undefined
  /** An invite to a permissioned network; from the join link or the home if absent. */
  readonly invite?: Uint8Array | undefined
  /** A join link: the network, and whom to call first. */
  readonly join?: string | undefined
  /** Name of the mesh, shown in join links. */
  readonly name?: string | undefined
  /** Address to listen on; beyond loopback only on purpose. */
  readonly host?: string | undefined
  /** Port to listen on; 0, the default, takes any free one. */
  readonly port?: number | undefined
  /** Whether a busy port is an error instead of a reason to take the next free one. */
  readonly exactPort?: boolean | undefined
  /** `sqlite`, the default with a home, keeps the history; `memory` also takes a new identity. */
  readonly storage?: 'sqlite' | 'memory' | undefined
  /** Addresses of members to call at start. */
  readonly bootstrap?: readonly string[] | undefined
  /** Addresses to tell others besides the ones listened on; `/p2p/...` is added where it lacks. */
  readonly advertise?: readonly string[] | undefined
  /**
   * What is kept of the history: the newest 32,768 vertices (`recent`, the default in Node.js), the
   * newest 3,000 (`brief`, the default in a tab), or `all`. Only what is settled is dropped.
   */
  readonly history?: 'recent' | 'brief' | 'all' | undefined
  /** `refuse`, the default, takes peers with the hybrid channel only; `allow` also others. */
  readonly classical?: 'refuse' | 'allow' | undefined
  /**
   * `on`, the default, goes on directly, by WebRTC, with whom it meets through a relay, where the
   * optional package `node-datachannel` is installed; `off` stays with the relay.
   */
  readonly webrtc?: 'on' | 'off' | undefined
  /** Servers of STUN and TURN for that, besides the relay; none unless given. */
  readonly iceServers?: readonly IceServer[] | undefined
  /** `on`, the default, lets others reach each other through the node, where it listens. */
  readonly relay?: 'on' | 'off' | undefined
  /**
   * What it does with anonymous questions of others: `on`, the default, passes them on and answers
   * them; `log` also makes an event of 10 to 260 KB of each; `off` drops them.
   */
  readonly relaying?: 'on' | 'log' | 'off' | undefined
  /**
   * `on`, the default, finds members on the local network and is found by them, where the node
   * listens beyond loopback; `off` does not.
   */
  readonly mdns?: 'on' | 'off' | undefined
  /** Training threads; 0, the default, leaves one core free. */
  readonly threads?: number | undefined
}

const KNOWN = [
  ...['home', 'network', 'genesis', 'invite', 'join', 'name', 'storage', 'bootstrap', 'advertise'],
  ...[
    'history',
    'classical',
    'relay',
    'webrtc',
    'relaying',
    'mdns',
    'host',
    'port',
    'exactPort',
    'threads',
    'worker',
    'iceServers',
  ],
]

/**
 * Refuses options that are none: a mistyped `home` would make a node that is forgotten.
 *
 * @throws SynapticError `bad-argument`, `option-invalid`
 */
export function checkNodeOptions(options: object): void {
  onlyKnown(objectArgument(options, 'the options', "{ home: 'folder' }"), KNOWN, 'createNode')
}
