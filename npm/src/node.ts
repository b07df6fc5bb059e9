/**
 * One node in this process: the core with sockets, a disk, training threads and an identity.
 *
 * This is what `synaptic-mesh start` runs and what a program gets from `createNode`. The order of
 * making it is the order of what can go wrong cheaply first: identity, lock, port, disk, core.
 */
import { Anonymous } from './anonymous.js'
import { notReady, type Problem, SynapticError, toSynapticError } from './errors.js'
import { Finalised } from './finalised.js'
import { Courses } from './host/course.js'
import { Discovery } from './host/discovery.js'
import { Flapping } from './host/flapping.js'
import { Hub, type Lagged } from './host/hub.js'
import { Partings } from './host/partings.js'
import { withPaths } from './host/paths.js'
import { type Membership, Runs, type TrainingEvent } from './host/runs.js'
import { type Calls, isLoopback } from './host/sockets.js'
import { type PeerTrace, trace } from './host/trace.js'
import { Invites } from './invites.js'
import { decodeJoinLink, encodeJoinLink, LINK_ADDRESSES_MAX } from './link.js'
import { Messages } from './messages.js'
import { objectArgument } from './neural/arguments.js'
import { checkNodeOptions, type NodeOptions } from './node-options.js'
import { LOOPBACK, makeParts, type Parts } from './node-parts.js'
import { invitesMemory, pendingMemory, rowsMemory } from './open-home.js'
import { type PeerChange, PeerChanges } from './peer-changes.js'
import { looked } from './poll.js'
import type { TrainingView } from './run-log.js'
import { completeRows, completeRun, type RowsRequest, type RunRequest } from './run-options.js'
import { Names, type WaitOptions, Wallet } from './wallet.js'
import {
  type AddressView,
  type CommitteeMember,
  type CommitteeView,
  type FinalItem,
  type FinalityStatus,
  type FinalPage,
  type GroupTask,
  type GroupTaskChange,
  type GroupView,
  type ItemView,
  loadMesh,
  type MeshEvent,
  type MeshStatus,
  type PeerView,
  type RunModel,
  type RunView,
  type TrainEvent,
} from './wasm.js'

/** What a node tells: the core's events without the training jobs, and the training's own. */
export type NodeEvent = Exclude<MeshEvent, TrainEvent> | TrainingEvent | Lagged

/** A node's status with what the host knows about it. */
export interface NodeStatus extends Omit<MeshStatus, 'storage'> {
  readonly name: string
  readonly addresses: readonly string[]
  readonly join: string
  readonly storage: {
    readonly kind: string
    readonly path: string | null
    readonly bytes: number | null
  }
}

/** Name under which the store keeps the list of runs, for `status` without a node. */
export const REMEMBERED_RUNS = 'runs'
/** Final items in one answer of the control API. */
const FINAL_PAGE_ITEMS = 256
/** A checkpoint takes ten seconds, and its signatures one or two. */
const PROOF_MS = 30_000
/** A core that has not come up by then will not. */
const READY_TIMEOUT_MS = 20_000

/** A running node. */
export class Node {
  /** Public name of this node: the id of its author. */
  readonly nodeId: string
  /** Id of the network it belongs to. */
  readonly network: string
  /** Port of its mesh listener. */
  readonly port: number
  /** Credits, where the network began with a committee. */
  readonly wallet: Wallet
  /** Names that end in `.dark`, where the network began with a committee. */
  readonly names: Names
  /** Messages that one node reads and no other, also when it was away. */
  readonly messages: Messages
  /** Questions to other members that do not learn who asks. Experimental. */
  readonly anonymous: Anonymous
  /** Invites, where the network is permissioned. */
  readonly invites: Invites
  /** Settles when the node has ended; rejects if it ended by a failure of the core. */
  readonly closed: Promise<void>
  readonly #parts: Parts
  readonly #runs: Runs
  readonly #hub = new Hub<Exclude<NodeEvent, Lagged>>()
  readonly #partings: Partings
  readonly #flapping = new Flapping()
  readonly #courses: Courses
  #addresses: readonly string[] = []
  #isReady = false
  #origin: string
  #discovery: Discovery | undefined
  #stopping: Promise<void> | undefined
  #onReady: (() => void) | undefined

  /** @internal Use {@link createNode}. */
  constructor(parts: Parts) {
    this.#parts = parts
    this.#partings = new Partings(parts.core)
    this.#courses = new Courses(parts.store)
    this.nodeId = parts.core.nodeId
    this.network = parts.network
    this.port = parts.listener.port
    this.#origin = `http://127.0.0.1:${parts.listener.port}`
    this.#runs = new Runs(parts.core, parts.pool, rowsMemory(parts.store), (event) =>
      this.#tell(event),
    )
    this.wallet = new Wallet(parts.core, () => this.#hub.subscribe(), pendingMemory(parts.store))
    this.names = new Names(parts.core, () => this.#hub.subscribe())
    this.messages = new Messages(parts.core)
    this.anonymous = new Anonymous(parts.core)
    this.invites = new Invites(parts.core, invitesMemory(parts.store), (i) => this.#linkWith(i))
    this.closed = this.#pump()
    // Whoever does not wait for the end shall not be ended by it.
    this.closed.catch(() => undefined)
  }

  /** @internal What was wrong in the home and was put right. */
  get mended(): readonly Problem[] {
    return this.#parts.mended
  }

  /** Link by which others join: a browser, `synaptic-mesh join`, or `createNode({ join })`. */
  get joinLink(): string {
    return this.#linkWith(undefined)
  }

  /** Whether only those may enter whom the network began with, and whoever has an invite. */
  get permissioned(): boolean {
    return (this.#parts.began?.inviters ?? null) !== null
  }

  /** Whether there is a committee, so that things become final. */
  get decides(): boolean {
    return (this.#parts.began?.committee.length ?? 0) > 0
  }

  /** Addresses at which this node can be called. */
  get addresses(): readonly string[] {
    return this.#addresses
  }

  /** Makes the join link point to a dashboard. */
  serveAt(origin: string): void {
    this.#origin = origin
  }

  /** What the node tells from now on. */
  events(): AsyncIterableIterator<NodeEvent> {
    return this.#hub.subscribe()
  }

  /** The node in numbers. */
  async status(): Promise<NodeStatus> {
    const { core, store, name } = this.#parts
    const status = await core.status()
    return {
      ...status,
      name,
      addresses: this.#addresses,
      join: this.joinLink,
      storage: {
        kind: store === undefined ? 'memory' : 'sqlite',
        path: store?.file ?? null,
        bytes: store?.bytes() ?? status.storage.bytes,
      },
    }
  }

  /** Calls another member. */
  dial(address: string): Promise<void> {
    return this.#parts.core.dial(address)
  }

  /**
   * Calls another member and waits for what comes of it.
   *
   * @throws SynapticError `unreachable` with the reason, `peer-banned`, `address-invalid`
   */
  connect(address: string): Promise<PeerView> {
    return this.#partings.connect(address)
  }

  /** Who is connected, and then who comes and goes, until the node ends. */
  peers(): AsyncIterableIterator<PeerChange> {
    return new PeerChanges(this.#parts.core, this.#hub.subscribe())
  }

  /** Addresses at which nobody is connected, each with the reason. */
  unreached(): Promise<AddressView[]> {
    return this.#partings.unreached()
  }

  /** Parts from a peer, by its node id, and keeps away from it for a minute. */
  disconnect(peer: string): Promise<void> {
    return this.#partings.part(peer, false)
  }

  /** Parts from a node for good: there is no connection with it until {@link Node.unban}. */
  ban(node: string): Promise<void> {
    return this.#partings.part(node, true)
  }

  /** Takes back a ban. */
  unban(node: string): Promise<void> {
    return this.#partings.unban(node)
  }

  /** Whether others may reach each other through this node, where it listens. */
  get relays(): boolean {
    return this.#parts.core.relays
  }

  /**
   * Lets others reach each other through this node, or refuses new ones of them: connections that
   * lead through it stay until they end.
   */
  set relays(on: boolean) {
    this.#parts.core.setRelays(on)
  }

  /** How long a peer takes to answer a question, in milliseconds. */
  async ping(peer: string): Promise<number> {
    return (await this.#parts.core.peer('ping', peer)) ?? 0
  }

  /** @internal Whether it goes on directly with whom it meets through a relay. */
  get webrtc(): 'on' | 'off' | 'missing' {
    return this.#parts.webrtc
  }

  /** @internal Whether it looks for members on the local network. */
  get looksAround(): boolean {
    return this.#discovery !== undefined
  }

  /** How a peer is reached: by node id while it is connected, else by peer id or address. */
  trace(peer: string): Promise<PeerTrace> {
    return trace(this, peer)
  }

  /** @internal What became of the last calls, which is more than the core tells. */
  get calls(): Calls {
    return this.#parts.calls
  }

  /** Starts a run with this node as its first member. */
  async startRun(request: RunRequest): Promise<Membership> {
    objectArgument(request, 'the run', '{ name, data, layers, rounds }')
    return this.#runs.start(completeRun(withPaths(request)))
  }

  /** Contributes to a run, given by name or id. */
  async joinRun(run: string, request: RowsRequest): Promise<Membership> {
    objectArgument(request, 'what is joined with', '{ data }')
    return this.#runs.join(run, completeRows(withPaths(request)))
  }

  /** Stops contributing to a run. */
  leaveRun(run: string): Promise<void> {
    return this.#runs.leave(run)
  }

  /** Every run of the mesh. */
  runs(): Promise<RunView[]> {
    return this.#parts.core.runs()
  }

  /** The course of a run, from a round on: who sent what, what was taken, who is missing. */
  async training(
    run: string,
    { from = 1 }: { readonly from?: number } = {},
  ): Promise<TrainingView> {
    const { counters } = await this.#parts.core.status()
    return this.#courses.view(await this.#runs.find(run, 0), counters, from)
  }

  /** The network that a run has reached. */
  async runModel(run: string): Promise<RunModel> {
    return this.#parts.core.runModel((await this.#runs.find(run, 0)).run)
  }

  /** The whole history of a run, from which anybody can recompute its weights: a CAR file. */
  async exportRun(run: string): Promise<Uint8Array> {
    return this.#parts.core.exportRun((await this.#runs.find(run, 0)).run)
  }

  /** What this network began with; undefined where everybody may enter and nothing is final. */
  get genesis(): Uint8Array | undefined {
    return this.#parts.genesis
  }

  /** Finality in numbers; `causal-only` in a network without a committee. */
  async finality(): Promise<FinalityStatus> {
    return (await this.#parts.core.status()).finality
  }

  /** The members that decide, and whom some of them want next. Rejects with `no-committee`. */
  committee(): Promise<CommitteeView> {
    return this.#parts.core.committee()
  }

  /**
   * Says as a member who shall decide in the next epoch. It is put to the vote when members that
   * weigh a quorum have said the same.
   */
  proposeCommittee(members: readonly CommitteeMember[]): Promise<ItemView> {
    return this.#parts.core.proposeCommittee({ members })
  }

  /** How an item stands, by the id of its vertex, or that and the place of the payload. */
  item(item: string): Promise<ItemView> {
    return this.#parts.core.item(item)
  }

  /**
   * Everything final, from a number on, and then what becomes final, until the node ends. The order
   * is that in which this node saw it; items that do not conflict may come in another order
   * elsewhere.
   */
  finalised({ from = 0 }: { readonly from?: number } = {}): AsyncIterableIterator<FinalItem> {
    return new Finalised(this.#parts.core, this.#hub.subscribe(), from)
  }

  /** @internal One page of what {@link Node.finalised} gives one by one. */
  finalPage(from: number): Promise<FinalPage> {
    return this.#parts.core.finalised(from, FINAL_PAGE_ITEMS)
  }

  /**
   * Proof that an item is final, which `verifyProof` checks with the genesis alone. There is one
   * once a checkpoint holds the item, ten seconds after it is final at most: that is waited for.
   *
   * @throws SynapticError `proof-not-ready` after `timeoutMs`, half a minute unless given;
   *   `item-unknown`, `sampling-no-proof`, `no-committee`
   */
  async proof(item: string, { timeoutMs = PROOF_MS }: WaitOptions = {}): Promise<Uint8Array> {
    return looked(Date.now() + timeoutMs, 'proof-not-ready', () => this.#parts.core.prove(item))
  }

  /**
   * Begins a group of this node and two to six others, which share out tasks and trust each other:
   * it bears that members crash, not that they lie. They are members by being listed.
   */
  createGroup(name: string, members: readonly string[]): Promise<GroupView> {
    return this.#parts.core.createGroup({ name, members })
  }

  /** The groups that this node is in. */
  groups(): Promise<GroupView[]> {
    return this.#parts.core.groups()
  }

  /** The tasks of a group, by name or id, as a majority of its members knows them now. */
  groupTasks(group: string): Promise<GroupTask[]> {
    return this.#parts.core.groupTasks(group)
  }

  /** Changes a task; resolves when a majority has it, to the task, or null if it is forgotten. */
  changeTask(group: string, change: GroupTaskChange): Promise<GroupTask | null> {
    return this.#parts.core.changeTask(group, change)
  }

  /** Adds a node to a group, or removes one; resolves when a majority has it. */
  changeMember(group: string, member: string, joins: boolean): Promise<GroupView> {
    return this.#parts.core.changeMember(group, member, joins)
  }

  /** Takes part again in the runs of before the last end, as far as their rows were files. */
  resumeRuns(): Promise<void> {
    return this.#runs.resume()
  }

  /** Ends the node; everything acknowledged is kept. Calling it twice is safe. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  /** As {@link Node.stop}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  /** @internal Finds members on the local network, and is found by them. */
  async discover(): Promise<void> {
    const { network, advertise } = this.#parts
    this.#discovery = await Discovery.start({
      network,
      addresses: () => advertise.filter((address) => !address.startsWith('/ip4/127.')),
      // Fails when the node has ended.
      found: (address) => void this.dial(address).catch(() => undefined),
      failed: (reason) =>
        this.#hub.emit({
          type: 'warning',
          code: 'mdns-failed',
          message: `members on the local network are not found: ${reason}`,
          hint: 'join by a link; `synaptic-mesh config set mdns off` switches this off',
        }),
    })
  }

  /** Waits for the core to be up. */
  async ready(): Promise<void> {
    const ready = new Promise<void>((resolve) => {
      this.#onReady = resolve
      if (this.#isReady) resolve()
    })
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(notReady()), READY_TIMEOUT_MS)
    })
    await Promise.race([ready, late, this.closed.then(() => Promise.reject(notReady()))])
    clearTimeout(timer)
  }

  #linkWith(invite: Uint8Array | undefined): string {
    const { network, genesis, name } = this.#parts
    const addresses = this.#addresses.slice(0, LINK_ADDRESSES_MAX)
    return encodeJoinLink(this.#origin, { network, addresses, meshName: name, genesis, invite })
  }

  async #stop(): Promise<void> {
    const { core, listener, stun, store, lock, pool } = this.#parts
    this.#discovery?.close()
    stun?.close()
    try {
      await this.#rememberRuns()
      await core.stop()
      await this.closed.catch(() => undefined)
    } finally {
      listener.close()
      await pool.close()
      store?.close()
      lock?.release()
      this.#hub.end()
    }
  }

  async #pump(): Promise<void> {
    try {
      for (;;) {
        const event = await this.#parts.core.nextEvent()
        if (event === null) break
        this.#handle(event)
      }
      this.#hub.end()
    } catch (thrown) {
      const error = toSynapticError(thrown)
      this.#hub.end(error)
      throw error
    }
  }

  #tell(event: Exclude<NodeEvent, Lagged>): void {
    this.#courses.observe(event)
    this.#hub.emit(event)
  }

  #handle(event: MeshEvent): void {
    if (event.type === 'train') {
      void this.#runs.train(event)
      return
    }
    this.#tell(event)
    const flaps = this.#flapping.observe(event)
    if (flaps !== undefined) this.#hub.emit(flaps)
    if (event.type === 'ready') {
      this.#addresses = [...new Set([...event.addresses, ...this.#parts.advertise])]
      this.#isReady = true
      this.#onReady?.()
    } else if (event.type === 'round') {
      void this.#runs.evaluate(event.run)
      void this.#rememberRuns()
    } else if (event.type === 'run') {
      if (event.state === 'finished') void this.#runs.finish(event.run)
      void this.#rememberRuns()
    }
  }

  /** Keeps the list of runs for `status` without a node; failing to is no reason to stop. */
  async #rememberRuns(): Promise<void> {
    const { core, store } = this.#parts
    if (store === undefined) return
    try {
      store.remember(REMEMBERED_RUNS, JSON.stringify(await core.runs()))
    } catch {
      // A full disk or a stopped core is reported where it matters: by the core's own writes.
    }
  }
}

/**
 * Makes a node and waits until it can be called.
 *
 * @throws SynapticError `bad-link`, `wrong-network`, `already-running`, `port-busy`, `storage-*`
 */
export async function createNode(options: NodeOptions = {}): Promise<Node> {
  checkNodeOptions(options)
  const mesh = await loadMesh()
  const link = options.join === undefined ? undefined : decodeJoinLink(options.join)
  const genesis = options.genesis ?? link?.genesis
  const invite = options.invite ?? link?.invite
  const ofGenesis = genesis === undefined ? undefined : mesh.inspectGenesis(genesis).network
  const network = options.network ?? link?.network ?? ofGenesis
  if (link !== undefined && network !== undefined && link.network !== network) {
    throw wrongNetwork(link.network, network)
  }
  const undo: (() => void | Promise<void>)[] = []
  try {
    const bootstrap = [...(link?.addresses ?? []), ...(options.bootstrap ?? [])]
    const name = options.name ?? link?.meshName ?? ''
    const node = new Node(
      await makeParts(mesh, { ...options, bootstrap, genesis, invite }, network, name, undo),
    )
    undo.push(() => node.stop())
    await node.ready()
    if (options.mdns !== 'off' && !isLoopback(options.host ?? LOOPBACK)) await node.discover()
    return node
  } catch (thrown) {
    for (const step of undo.reverse()) await step()
    throw toSynapticError(thrown)
  }
}

/** The error for a link into another network than the node's. */
export function wrongNetwork(asked: string, own: string): SynapticError {
  return new SynapticError(
    'wrong-network',
    `the link is for network ${asked}, this node belongs to ${own}`,
    'stop the node and join again, or use another identity with --home',
  )
}
