//! The TypeScript side of the mesh boundary, as it stands in the generated declarations.
//!
//! `Specification` and `Scaling` are declared with the networks, in `wasm/neural.rs`.

use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen(typescript_custom_section)]
const HOST: &str = r#"
/** What a socket tells the mesh. */
export interface SocketHandlers {
  open(): void;
  /** One binary message. Empty ones may be left out. */
  message(bytes: Uint8Array): void;
  /** The end, once. The reason is empty for a regular one. */
  close(reason: string): void;
  /** After `send` returned false: there is room again. */
  drain(): void;
}

/** A socket lent to the mesh. Nothing may be called before `setHandlers`. */
export interface HostSocket {
  /** Attaches the handlers; a second call replaces them. */
  setHandlers(handlers: SocketHandlers): void;
  /** Takes a copy of the bytes. False: wait for `drain` before the next one. */
  send(bytes: Uint8Array): boolean;
  /** Stop delivering messages. Absent where that is impossible, as in a browser. */
  pause?(): void;
  resume?(): void;
  /** Ends the socket; what was sent goes out first. Closing twice does nothing. */
  close(): void;
}

/** What the mesh asks of its surroundings for the network. */
export interface Host {
  /** Opens a WebSocket; it opens or closes later. */
  dial(url: string): HostSocket;
  /**
   * Accepts WebSockets. Absent where that is impossible. An accepted socket is open and paused
   * until `resume`. After `close`, `onSocket` is not called any more.
   * Rejects with `{code, message}`; `EADDRINUSE`, `EADDRNOTAVAIL` and `EACCES` are understood.
   */
  listen?(
    host: string,
    port: number,
    onSocket: (socket: HostSocket, remote: string) => void,
  ): Promise<{ port: number; close(): void }>;
}

/** Table, key, and the new value, or null to remove it. */
export type StoreOperation = readonly [table: string, key: Uint8Array, value: Uint8Array | null];

/**
 * A store lent to the mesh, with the tables `vertices`, `blobs` and `meta`. Methods throw
 * `{code, message}` with one of the codes `storage-full`, `storage-permission`, `storage-corrupt`,
 * `storage-locked`, `storage-failed`.
 */
export interface HostStore {
  get(table: string, key: Uint8Array): Uint8Array | undefined;
  /** Every record. */
  scan(table: string): [key: Uint8Array, value: Uint8Array][];
  /** Every key with the length of its value; derived from `scan` where it is absent. */
  keys?(table: string): [key: Uint8Array, length: number][];
  /** All operations in order, or none; durable when it returns. */
  apply(operations: StoreOperation[]): void;
  /** Bytes on the disk. */
  bytes(): number;
  close(): void;
}
"#;

#[wasm_bindgen(typescript_custom_section)]
const NODE: &str = r#"
/** Where a node keeps its history. */
export type StorageOption =
  | { kind: "memory" }
  | { kind: "indexeddb"; name: string }
  | { kind: "host"; store: HostStore };

/** What a node is made of. */
export interface MeshNodeOptions {
  /** The network id. */
  network: string;
  /** What its owner calls the mesh; travels in join links. */
  name?: string;
  /** The identity, as `generateSecrets` made it. */
  secrets: Uint8Array;
  storage: StorageOption;
  host: Host;
  /** Where to listen; port 0 lets the host choose. */
  listen?: readonly { host: string; port: number }[];
  /** Multiaddrs to tell others in addition to those listened at. */
  advertise?: readonly string[];
  /** Multiaddrs to dial first. */
  bootstrap?: readonly string[];
}

/** What a run is started with. */
export interface RunOptions {
  /** 1 to 64 of `a-z`, `0-9` and `-`. */
  name: string;
  specification: Specification;
  /** Seed of the initial weights. */
  seed: bigint;
  /** Class names in the order of the outputs; empty for a regression. */
  classes: readonly string[];
  scaling: Scaling;
  rounds: number;
  /** Passes over the own data per round. */
  epochs: number;
  batch: number;
  learningRate: number;
  momentum: number;
  /** Updates at which a round is aggregated at once. */
  quorum: number;
  /** Updates that suffice after the deadline. */
  updatesMin: number;
  deadlineMs: number;
  /** How many samples this node trains on; 0 starts the run without joining it. */
  samples: number;
}

/** A run as this node sees it. */
export interface RunView {
  run: string;
  name: string;
  state: "waiting" | "running" | "finished";
  /** The last aggregated round; 0 before the first. */
  round: number;
  rounds: number;
  founder: string;
  members: string[];
  /** Whether this node is a member. */
  contributing: boolean;
  weightsCid: string | null;
  specification: Specification;
  classes: string[];
  scaling: Scaling;
  epochs: number;
  batch: number;
  learningRate: number;
  momentum: number;
}

/** The current model of a run. */
export interface RunModel {
  run: string;
  name: string;
  /** The round of these weights; 0 are the initial ones. */
  round: number;
  /** Raw little-endian f32. */
  weights: Uint8Array;
  specification: Specification;
  classes: string[];
  scaling: Scaling;
}

/** A connected peer that proved its identity. */
export interface PeerView {
  id: string;
  transport: "ws" | "wss";
  path: "direct";
  address: string;
  outbound: boolean;
  rttMs: number | null;
}

/** A node in numbers. */
export interface MeshStatus {
  running: true;
  nodeId: string;
  network: string;
  name: string;
  addresses: string[];
  peers: PeerView[];
  vertices: number;
  blobs: { count: number; bytes: number };
  runs: RunView[];
  /** `bytes` is null when the store cannot say. */
  storage: { kind: "memory" | "indexeddb" | "sqlite"; bytes: number | null };
  /** What was dropped, refused or penalised, by cause. */
  counters: Record<string, number>;
}

/** What a join link is made of. */
export interface LinkInfo {
  network: string;
  name: string;
  addresses: string[];
}

/** What a training job gave. */
export interface TrainedUpdate {
  /** Trained minus base weights, raw little-endian f32. */
  delta: Uint8Array;
  samples: number;
  loss: number;
  accuracy: number | null;
}

/** What happened, or is to be done. */
export type MeshEvent =
  | { type: "ready"; addresses: string[] }
  | { type: "peer"; id: string; transport: "ws" | "wss"; state: "connected"; address: string }
  | { type: "peer"; id: string; transport: "ws" | "wss"; state: "disconnected"; reason: string }
  | {
      type: "train";
      job: number;
      run: string;
      name: string;
      round: number;
      seed: bigint;
      epochs: number;
      batch: number;
      learningRate: number;
      momentum: number;
      specification: Specification;
      scaling: Scaling;
      classes: string[];
      baseWeights: Uint8Array;
    }
  | { type: "update"; run: string; round: number; author: string; samples: number }
  | {
      type: "round";
      run: string;
      name: string;
      round: number;
      rounds: number;
      updates: number;
      contributors: string[];
      aggregate: string;
      weightsCid: string;
    }
  | { type: "run"; run: string; name: string; state: "started" | "joined" | "left" | "finished" }
  | { type: "warning"; code: string; message: string; hint: string }
  | { type: "stopped" };
"#;
