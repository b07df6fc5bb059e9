/**
 * The two wasm artifacts: their types as the core exports them, and how Node loads them.
 *
 * `neural` trains and runs networks; `mesh` is a whole node and holds `neural` too. Both are
 * loaded from the files beside this package, once per thread.
 */
import { readFileSync } from 'node:fs'
import { SynapticError } from './errors.js'

/** What a layer applies to its sums. */
export type Activation = 'relu' | 'tanh' | 'sigmoid' | 'linear' | 'softmax'

/** A network before it has weights. */
export interface Specification {
  readonly inputs: number
  readonly layers: readonly { readonly units: number; readonly activation: Activation }[]
  readonly loss: 'mse' | 'cross-entropy'
}

/** How raw inputs become a network's inputs: `(raw - offset) * scale`, feature by feature. */
export interface Scaling {
  readonly offset: Float32Array | readonly number[]
  readonly scale: Float32Array | readonly number[]
}

/** What rows are for. */
export type Task = 'classification' | 'regression'

/** How a table is read. */
export interface ParseOptions {
  /** Column of the label: its name, or its index from 0; the last one if absent. */
  readonly label?: string | number
  /** Overrides what the labels look like. */
  readonly task?: Task
  /** Overrides whether the first row looks like names. */
  readonly header?: boolean
  /** The classes, in order, when they are known beforehand. */
  readonly classes?: readonly string[]
}

/** Rows and labels, held inside the core's memory. */
export interface Dataset {
  readonly rows: number
  readonly features: number
  readonly classes: string[]
  readonly task: Task
  /** A copy of the inputs, row by row. */
  values(): Float32Array
  /** A copy of the labels: indices into `classes`, or the numbers to predict. */
  labels(): Uint32Array | Float32Array
  /** Stratified: first what remains, then the part held out. */
  split(testFraction: number, seed: bigint): [Dataset, Dataset]
  /** One data set per member, uneven by class; the smaller alpha, the more uneven. */
  dirichletSplit(members: number, alpha: number, seed: bigint): Dataset[]
  scaling(kind: 'standard' | 'range' | 'none'): Scaling
  standardise(scaling: Scaling): Dataset
  free(): void
}

/** Settings of a training. */
export interface TrainOptions {
  readonly batch?: number
  readonly learningRate?: number
  readonly momentum?: number
  readonly optimiser?: 'sgd' | 'adam'
  readonly seed?: bigint
  readonly shuffle?: boolean
}

/** A network with weights. */
export interface Network {
  readonly parameterCount: number
  readonly specification: Specification
  /** Scaling of the rows it was trained on; undefined before the first training. */
  readonly scaling: Scaling | undefined
  /** Classes it tells apart; empty for a regression or before the first training. */
  readonly classes: string[]
  /** What its outputs are; undefined before the first training. */
  readonly task: Task | undefined
  /** Gives it a scaling and classes that come from elsewhere, such as a run. */
  describe(description: { readonly scaling?: Scaling; readonly classes?: readonly string[] }): void
  weights(): Float32Array
  setWeights(weights: Float32Array): void
  weightsCid(): string
  toModel(): Uint8Array
  run(input: Float32Array): Float32Array
  runBatch(inputs: Float32Array, rows: number): Float32Array
  /** One epoch; calls with the same options are one training. */
  trainEpoch(data: Dataset, options?: TrainOptions): { epoch: number; loss: number }
  /** A whole training with a fresh optimiser. */
  train(data: Dataset, options: TrainOptions & { epochs: number }): { epoch: number; loss: number }
  evaluate(data: Dataset): { loss: number; accuracy: number | null }
  free(): void
}

/** What local training gives to a round. */
export interface TrainedUpdate {
  readonly delta: Uint8Array
  readonly samples: number
  readonly loss: number
  readonly accuracy: number | null
}

/** Settings of local training in a round. */
export interface UpdateOptions {
  readonly epochs: number
  readonly batch: number
  readonly learningRate: number
  readonly momentum: number
  readonly seed: bigint
}

/** What both artifacts export. */
export interface NeuralModule {
  readonly Network: {
    create(specification: Specification, seed: bigint): Network
    fromModel(bytes: Uint8Array): Network
  }
  readonly Dataset: {
    parse(csv: Uint8Array, options: ParseOptions): Dataset
    /** The inputs of rows of which the label, if there is one, does not matter. */
    parseRows(csv: Uint8Array, inputs: number, options: ParseOptions): Float32Array
  }
  trainUpdate(
    specification: Specification,
    baseWeights: Uint8Array,
    data: Dataset,
    options: UpdateOptions,
  ): TrainedUpdate
  weightsCid(weights: Uint8Array): string
}

/** What a socket tells the core. */
export interface SocketHandlers {
  open(): void
  message(bytes: Uint8Array): void
  /** The reason is empty for a regular end. */
  close(reason: string): void
  drain(): void
}

/** A socket lent to the core. */
export interface HostSocket {
  setHandlers(handlers: SocketHandlers): void
  /** False: wait for `drain`. */
  send(bytes: Uint8Array): boolean
  pause(): void
  resume(): void
  close(): void
}

/** What the core asks of its surroundings for the network. */
export interface Host {
  dial(url: string): HostSocket
  listen?(
    host: string,
    port: number,
    onSocket: (socket: HostSocket, remote: string) => void,
  ): Promise<{ port: number; close(): void }>
}

/** Table, key, and the new value or null to remove it. */
export type StoreOperation = readonly [table: string, key: Uint8Array, value: Uint8Array | null]

/** A disk lent to the core; its methods throw `{code, message}`. */
export interface HostStore {
  get(table: string, key: Uint8Array): Uint8Array | undefined
  scan(table: string): [Uint8Array, Uint8Array][]
  keys(table: string): [Uint8Array, number][]
  apply(operations: readonly StoreOperation[]): void
  bytes(): number
  close(): void
}

/** A run as the history shows it at this moment. */
export interface RunView {
  readonly run: string
  readonly name: string
  readonly state: 'waiting' | 'running' | 'finished'
  readonly round: number
  readonly rounds: number
  readonly members: readonly string[]
  readonly contributing: boolean
  readonly weightsCid: string | null
  readonly specification: Specification
  readonly classes: readonly string[]
  readonly scaling: Scaling
  readonly epochs: number
  readonly batch: number
  readonly learningRate: number
  readonly momentum: number
}

/** A connected member. */
export interface PeerView {
  readonly id: string
  readonly transport: string
  readonly path: string
  readonly address: string
  readonly outbound: boolean
  readonly rttMs: number | null
}

/** A node in numbers. */
export interface MeshStatus {
  readonly running: boolean
  readonly nodeId: string
  readonly network: string
  readonly peers: readonly PeerView[]
  readonly vertices: number
  readonly blobs: { readonly count: number; readonly bytes: number }
  readonly runs: readonly RunView[]
  readonly storage: { readonly kind: string; readonly bytes: number | null }
  readonly counters?: Readonly<Record<string, number>>
}

/** What a run is started with. */
export interface RunOptions {
  readonly name: string
  readonly specification: Specification
  readonly seed: bigint
  readonly classes: readonly string[]
  readonly scaling: Scaling
  readonly rounds: number
  readonly epochs: number
  readonly batch: number
  readonly learningRate: number
  readonly momentum: number
  readonly quorum: number
  readonly updatesMin: number
  readonly deadlineMs: number
  readonly samples: number
}

/** Work for the training thread. */
export interface TrainEvent {
  readonly type: 'train'
  readonly job: number
  readonly run: string
  readonly round: number
  readonly seed: bigint
  readonly epochs: number
  readonly batch: number
  readonly learningRate: number
  readonly momentum: number
  readonly specification: Specification
  readonly baseWeights: Uint8Array
}

/** What a node tells. */
export type MeshEvent =
  | { readonly type: 'ready'; readonly addresses: readonly string[] }
  | {
      readonly type: 'peer'
      readonly id: string
      readonly transport: string
      readonly state: 'connected' | 'disconnected'
      readonly address?: string
      readonly reason?: string
    }
  | TrainEvent
  | {
      readonly type: 'update'
      readonly run: string
      readonly round: number
      readonly author: string
      readonly samples: number
    }
  | {
      readonly type: 'round'
      readonly run: string
      readonly name: string
      readonly round: number
      readonly rounds: number
      readonly updates: number
      readonly contributors: readonly string[]
      readonly weightsCid: string
    }
  | {
      readonly type: 'run'
      readonly run: string
      readonly name: string
      readonly state: 'started' | 'joined' | 'left' | 'finished'
    }
  | {
      readonly type: 'warning'
      readonly code: string
      readonly message: string
      readonly hint: string
    }
  | { readonly type: 'stopped' }

/** The network a run has reached. */
export interface RunModel {
  readonly round: number
  readonly weights: Uint8Array
  readonly specification: Specification
  readonly classes: readonly string[]
  readonly scaling: Scaling
}

/** One whole node. */
export interface MeshNode {
  readonly nodeId: string
  status(): Promise<MeshStatus>
  dial(address: string): Promise<void>
  startRun(options: RunOptions): Promise<RunView>
  joinRun(run: string, options: { samples: number }): Promise<RunView>
  leaveRun(run: string): Promise<void>
  runs(): Promise<RunView[]>
  runModel(run: string): Promise<RunModel>
  exportRun(run: string): Promise<Uint8Array>
  /** The next event, or null once the node has stopped. */
  nextEvent(): Promise<MeshEvent | null>
  trained(job: number, result: TrainedUpdate | { error: string }): void
  stop(): Promise<void>
}

/** Where a node keeps its history. */
export type StorageOption =
  | { readonly kind: 'memory' }
  | { readonly kind: 'host'; readonly store: HostStore }

/** What a node is made of. */
export interface MeshNodeOptions {
  readonly network: string
  readonly name?: string
  readonly secrets: Uint8Array
  readonly storage: StorageOption
  readonly host: Host
  readonly listen?: readonly { readonly host: string; readonly port: number }[]
  readonly advertise?: readonly string[]
  readonly bootstrap?: readonly string[]
}

/** Where a changed history stops being true. */
export interface Mismatch {
  readonly vertex: string | null
  readonly round: number | null
  readonly byte: number | null
  readonly what: string
}

/** What replaying an exported run gives. */
export interface VerifyReport {
  readonly ok: boolean
  readonly rounds: number
  readonly updates: number
  readonly weightsCid: string | null
  readonly firstMismatch: Mismatch | null
  /** Id and name of the run, once its first vertex was verified. */
  readonly run: string | null
  readonly name: string | null
  /** Raw little-endian `f32` after the last of these rounds. */
  readonly weights: Uint8Array
  readonly specification: Specification | null
  readonly classes: readonly string[]
  readonly scaling: Scaling | null
}

/** What the mesh artifact exports besides. */
export interface MeshModule extends NeuralModule {
  generateSecrets(): Uint8Array
  inspectSecrets(secrets: Uint8Array): { nodeId: string; peerId: string }
  generateNetworkId(): string
  verifyRun(car: Uint8Array): VerifyReport
  readonly MeshNode: { create(options: MeshNodeOptions): Promise<MeshNode> }
}

/** What the generated glue of every artifact offers for loading. */
interface Glue {
  initSync(options: { module: WebAssembly.Module }): unknown
}

/** Longer than any loading takes; the timer never fires. */
const AWAKE_MS = 3_600_000

const loaded = new Map<string, Promise<unknown>>()

/** The artifact that trains and runs networks. */
export function loadNeural(): Promise<NeuralModule> {
  return load<NeuralModule>('neural')
}

/** The artifact that is a node. */
export function loadMesh(): Promise<MeshModule> {
  return load<MeshModule>('mesh')
}

function load<T>(name: string): Promise<T> {
  let module = loaded.get(name)
  if (module === undefined) {
    module = instantiate(name)
    loaded.set(name, module)
    // A later call shall try again rather than meet the same failure.
    module.catch(() => loaded.delete(name))
  }
  return module as Promise<T>
}

async function instantiate(name: string): Promise<unknown> {
  const directory = new URL('../wasm/', import.meta.url)
  // While nothing but V8's own threads is at work, Node finds its event loop empty and waits for
  // them to finish everything, the optimisation of what has just been loaded included: seconds,
  // in which no socket is served. A timer keeps the loop alive.
  const awake = setInterval(() => undefined, AWAKE_MS)
  try {
    const bytes = readFileSync(new URL(`${name}_bg.wasm`, directory))
    const [glue, module] = await Promise.all([
      import(new URL(`${name}.js`, directory).href) as Promise<Glue>,
      WebAssembly.compile(bytes),
    ])
    glue.initSync({ module })
    return glue
  } catch (thrown) {
    const detail = thrown instanceof Error ? thrown.message : String(thrown)
    throw new SynapticError(
      'wasm-unavailable',
      `the wasm core "${name}" cannot be loaded: ${detail}`,
      'install the package again; `synaptic-mesh doctor` checks what this machine lacks',
      { cause: thrown },
    )
  } finally {
    clearInterval(awake)
  }
}
