/**
 * The shapes that cross the wasm boundary, as the dashboard uses them.
 *
 * Two artifacts stand behind these types: `mesh` (a whole node) runs in the node worker, `neural`
 * (kernels, networks, training) in the training worker. Both are loaded at run time by `wasm.ts`, so
 * the page builds without them. Errors arrive as `{code, message, hint}` and are read by `problem.ts`.
 */

/** A network's architecture. Opaque here: it comes from a run and goes back into wasm. */
export type Specification = Readonly<Record<string, unknown>>

/** Standardisation of one run, feature by feature: `(raw - offset) * scale`. */
export interface Scaling {
  readonly offset: ArrayLike<number>
  readonly scale: ArrayLike<number>
}

/** One connected peer, as the node reports it. `rttMs` is null until the first ping came back. */
export interface Peer {
  readonly id: string
  readonly transport: string
  readonly path: string
  readonly rttMs: number | null
}

/** One collaborative training, as the history shows it to this node. */
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

/** What `status()` answers, and what the serving node's `/api/status` sends. */
export interface Status {
  readonly running: boolean
  readonly nodeId: string
  readonly network: string
  readonly name?: string
  readonly peers: readonly Peer[]
  readonly vertices: number
  readonly blobs: { readonly count: number; readonly bytes: number }
  readonly runs: readonly RunView[]
  readonly storage: { readonly kind: string; readonly bytes: number; readonly path?: string }
  readonly join?: string
}

/** A job for the training worker: one member's local epochs of one round. */
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

/** Everything a node tells its application. */
export type MeshEvent =
  | { readonly type: 'ready'; readonly addresses: readonly string[] }
  | {
      readonly type: 'peer'
      readonly id: string
      readonly transport: string
      readonly state: 'connected' | 'disconnected'
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

/** The model a run has reached: enough to use it without the node. */
export interface RunModel {
  readonly round: number
  readonly weights: Uint8Array
  readonly specification: Specification
  readonly classes: readonly string[]
  readonly scaling: Scaling
}

/** A socket lent to the node. `send` answers false when the caller should wait for `drain`. */
export interface HostSocket {
  setHandlers(handlers: {
    open(): void
    message(bytes: Uint8Array): void
    close(reason: string): void
    drain(): void
  }): void
  send(bytes: Uint8Array): boolean
  pause(): void
  resume(): void
  close(): void
}

/** What the page lends the node: it can dial, and cannot listen. */
export interface Host {
  dial(url: string): HostSocket
}

export interface MeshNode {
  readonly nodeId: string
  status(): Promise<Status>
  dial(address: string): Promise<void>
  joinRun(run: string, options: { samples: number }): Promise<RunView>
  leaveRun(run: string): Promise<void>
  runs(): Promise<RunView[]>
  runModel(run: string): Promise<RunModel>
  nextEvent(): Promise<MeshEvent | null>
  trained(job: number, result: TrainedUpdate | { error: string }): void
  stop(): Promise<void>
}

/** The `mesh` artifact. */
export interface MeshModule {
  generateSecrets(): Uint8Array
  inspectSecrets(secrets: Uint8Array): { nodeId: string; peerId: string }
  MeshNode: {
    create(options: {
      network: string
      name?: string
      secrets: Uint8Array
      storage: { kind: 'indexeddb'; name: string }
      host: Host
      bootstrap: string[]
    }): Promise<MeshNode>
  }
}

/** What one member hands in for one round. `delta` is local weights minus the base, raw f32. */
export interface TrainedUpdate {
  readonly delta: Uint8Array
  readonly samples: number
  readonly loss: number
  readonly accuracy: number | null
}

/** Hyperparameters of local training. One seed gives one result, bit for bit. */
export interface TrainOptions {
  readonly epochs: number
  readonly batch: number
  readonly learningRate: number
  readonly momentum: number
  readonly seed: bigint
}

/** Labelled rows inside wasm memory; `free` gives the memory back. */
export interface Dataset {
  readonly rows: number
  readonly features: number
  readonly classes: readonly string[]
  standardise(scaling: Scaling): Dataset
  free(): void
}

/** A network inside wasm memory; `free` gives the memory back. */
export interface Network {
  readonly parameterCount: number
  weights(): Float32Array
  setWeights(weights: Float32Array): void
  runBatch(inputs: Float32Array, rows: number): Float32Array
  /** One epoch; calls with the same options are one training. */
  trainEpoch(
    data: Dataset,
    options: Omit<TrainOptions, 'epochs'> & { optimiser: 'sgd' | 'adam' },
  ): { loss: number }
  /** Scaling and classes from elsewhere: then `runBatch` takes rows as they stand in the file. */
  describe(description: { scaling: Scaling; classes: readonly string[] }): void
  evaluate(data: Dataset): { loss: number; accuracy: number | null }
  free(): void
}

/** The `neural` artifact. */
export interface NeuralModule {
  Network: { create(specification: Specification, seed: bigint): Network }
  Dataset: {
    parse(
      csv: Uint8Array,
      options: { classes?: readonly string[]; task?: 'classification' | 'regression' },
    ): Dataset
    /** Rows without label, `[rows, inputs]`, as they stand in the file: not scaled. */
    parseRows(csv: Uint8Array, inputs: number): Float32Array
  }
  trainUpdate(
    specification: Specification,
    baseWeights: Uint8Array,
    data: Dataset,
    options: TrainOptions,
  ): TrainedUpdate
}
