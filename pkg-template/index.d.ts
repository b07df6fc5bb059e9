import type { Node as HostNode, NodeOptions } from './lib/index.js'

export * from './lib/index.js'

/** A running node: the same in Node and in a page, but that a page has no port. */
export type Node = Omit<HostNode, 'ready' | 'serveAt'>

/** A server that helps two browsers to find a direct way to each other, as WebRTC describes it. */
export interface IceServer {
  readonly urls: string | string[]
  readonly username?: string
  readonly credential?: string
}

/**
 * What a node is made with, in Node and in a page. In a page `home`, `host`, `port`, `exactPort`,
 * `advertise` and `threads` mean nothing: it cannot listen, and it has one training worker.
 */
export interface CreateNodeOptions extends Omit<NodeOptions, 'storage'> {
  /**
   * In Node `sqlite` (the default with a home) or `memory` (without one); in a page `indexeddb`
   * (the default) or `memory`. What is kept in memory takes an identity that is forgotten with it.
   */
  readonly storage?: 'sqlite' | 'indexeddb' | 'memory' | undefined
  /**
   * In a page: makes the training worker, for bundlers that do not find it by themselves. Its
   * script is `synaptic-mesh/worker`.
   */
  readonly worker?: (() => unknown) | undefined
  /**
   * In a page: servers that help to find direct ways between tabs; none by default. Each hears the
   * address of this machine whenever a direct way is sought.
   */
  readonly iceServers?: readonly IceServer[] | undefined
}

/**
 * Makes a node, and in Node waits until it can be called.
 *
 * @throws SynapticError `bad-link`, `wrong-network`, `already-running`, `port-busy`, `storage-*`;
 *   in a page also `insecure-context`, `no-web-locks`, `no-indexeddb`, `too-many-tabs`
 */
export declare function createNode(options?: CreateNodeOptions): Promise<Node>
