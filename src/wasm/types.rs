//! The TypeScript side of the mesh boundary, as it stands in the generated declarations.
//!
//! `Specification`, `Scaling` and `TrainedUpdate` are declared with the networks, in
//! `wasm/neural.rs`. Hosts and pages use these very declarations and write none of their own.

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

/** What a peer connection tells the mesh. */
export interface PeerHandlers {
  /** Where this side may be reached: `RTCIceCandidate.toJSON()` as JSON; `null` at the end. */
  candidate(candidate: string): void;
  /** The end, once; that of its channel is told by the channel. */
  close(reason: string): void;
  /** With streams: it is connected. */
  connected(): void;
  /** With streams: a data channel that the peer opened, reliable and ordered. */
  channel(channel: HostSocket): void;
}

/**
 * A WebRTC peer connection lent to the mesh. Nothing may be called before `setHandlers`.
 *
 * Without streams it has one data channel: reliable, ordered, negotiated by its id 0. With streams
 * either side opens as many as it likes. Then whoever makes the offer opens one with the label
 * `init` before it, or there would be nothing to describe, and closes it once it is open; the other
 * side shows it to nobody (libp2p's specification, `webrtc/webrtc.md`).
 */
export interface HostPeer {
  /** Attaches the handlers; a second call replaces them. */
  setHandlers(handlers: PeerHandlers): void;
  /** The data channel, without streams. */
  readonly channel: HostSocket;
  /** With streams: opens another data channel, reliable and ordered, without a label. */
  open(): HostSocket;
  /** Makes and sets an offer: its SDP. */
  offer(): Promise<string>;
  /** Sets the peer's offer, makes and sets the answer: its SDP. */
  answer(offer: string): Promise<string>;
  /** Sets the peer's answer. */
  apply(answer: string): Promise<void>;
  /** Takes a candidate of the peer, as its `candidate` told it. */
  add(candidate: string): Promise<void>;
  /** Ends it; what was sent goes out first. Closing twice does nothing. */
  close(): void;
}

/** What the mesh asks of its surroundings for the network. */
export interface Host {
  /** Opens a WebSocket; it opens or closes later. */
  dial(url: string): HostSocket;
  /**
   * Makes a peer connection, with streams or without. Absent where there is no WebRTC: then relayed
   * connections stay so. `stun` is where the relay between the two answers STUN
   * (`stun:host:port`), if it may.
   */
  peer?(streams: boolean, stun: string | null): HostPeer;
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
  apply(operations: readonly StoreOperation[]): void;
  /** Bytes on the disk. */
  bytes(): number;
  close(): void;
}
"#;

#[wasm_bindgen(typescript_custom_section)]
const NODE: &str = r#"
/** Where a node keeps its history. */
export type StorageOption =
  | { readonly kind: "memory" }
  | { readonly kind: "indexeddb"; readonly name: string }
  | { readonly kind: "host"; readonly store: HostStore };

/** What a node is made of. */
export interface MeshNodeOptions {
  /** The network id. */
  readonly network: string;
  /** What the network began with, when its id is the hash of that; without it nothing is final. */
  readonly genesis?: Uint8Array;
  /** The invite of the join link, in a permissioned network; once a member, none is needed. */
  readonly invite?: Uint8Array;
  /** What its owner calls the mesh; travels in join links. */
  readonly name?: string;
  /** The identity, as `generateSecrets` made it. */
  readonly secrets: Uint8Array;
  readonly storage: StorageOption;
  readonly host: Host;
  /** Where to listen; port 0 lets the host choose. */
  readonly listen?: readonly { readonly host: string; readonly port: number }[];
  /** Multiaddrs to tell others in addition to those listened at. */
  readonly advertise?: readonly string[];
  /** Multiaddrs to dial first. */
  readonly bootstrap?: readonly string[];
  /** Keeps the newest 32,768 vertices (`recent`, the default), 3,000 (`brief`), or `all`. */
  readonly history?: 'recent' | 'brief' | 'all';
  /** `allow` also takes peers without the hybrid channel, such as js-libp2p's; else `refuse`. */
  readonly classical?: 'allow' | 'refuse';
  /** Whether others may reach each other through it, where it listens: `on` unless given. */
  readonly relay?: 'on' | 'off';
  /** What it does with anonymous questions of others: `on` unless given. */
  readonly relaying?: Relaying;
}

/** How updates become one where a mean would let hostile members decide. */
export type Rule =
  | "median"
  | "trimmed-mean"
  | "krum"
  | "multi-krum"
  | "geometric-median"
  | "centered-clipping"
  | "bulyan";

/** A rule with its numbers. */
export interface Aggregation {
  readonly rule: Rule;
  /** How many updates of a round may be hostile. */
  readonly byzantine: number;
  /** Updates are shortened to this length first; 0: to one that their own lengths give. */
  readonly radius: number;
  /** Whether updates are mixed with their nearest ones first; not if absent. */
  readonly mixing?: boolean;
}

/** How the updates of a run are compressed. */
export interface Compression {
  /** Of a value: 1 for its sign, 2 to 8 for whole numbers of steps. */
  readonly bits: number;
  /** Values kept of a million, the largest. */
  readonly keep: number;
}

/** Trusted rows of a run, scaled as its members scale theirs. */
export interface Reference {
  /** `[rows, inputs]`, raw little-endian `f32`. */
  readonly inputs: Uint8Array;
  /** Little-endian `u32` classes of the rows, or `f32` numbers `[rows, outputs]`. */
  readonly labels: Uint8Array;
}

/** How the members of a run hide their rows. */
export interface Privacy {
  /** The length to which longer updates are shortened, over 0. */
  readonly clip: number;
  /** Standard deviation of the noise on each value, in units of `clip`: 0.01 to 1000. */
  readonly noise: number;
  /** The delta at which epsilon is told, over 0 and at most 0.01. */
  readonly delta: number;
}

/**
 * What updates with noise tell about all rows of their author: whatever these are, no outcome is
 * more than `e^epsilon` times as likely as with others, but for `delta`.
 */
export interface PrivacyView extends Privacy {
  /** The epsilon of the updates that this node has sent. */
  readonly spent: number;
  /** The epsilon of one update in every round of the run. */
  readonly epsilon: number;
}

/** How the updates of a run are masked, so that nobody sees one alone. */
export interface Masking {
  /** What larger values are cut to, on either side of zero: 0.001 to 1024. */
  readonly clip: number;
  /** Of a hundred holders of a member's secrets, more than so many open them: 50 to 90. */
  readonly threshold: number;
}

/** A member whose update a round of a run with commitments does not have. */
export interface LeftOut {
  readonly author: string;
  /**
   * `doubled`: it committed twice; `uncommitted`: it sent an update without a commitment;
   * `mismatched`: it sent another than it had committed to; `late-commitment`: it committed after
   * most others had revealed; `unanswered`: it did after some had, or they passed it over;
   * `withheld`: it committed and sent nothing; `left-out`: who proposed the result did not take it.
   */
  readonly whyNot:
    | "doubled"
    | "uncommitted"
    | "mismatched"
    | "late-commitment"
    | "unanswered"
    | "withheld"
    | "left-out";
}

/** What a run is started with. */
export interface RunOptions {
  /** 1 to 64 of `a-z`, `0-9` and `-`. */
  readonly name: string;
  readonly specification: Specification;
  /** Seed of the initial weights. */
  readonly seed: bigint;
  /** Class names in the order of the outputs; empty for a regression. */
  readonly classes: readonly string[];
  readonly scaling: Scaling;
  readonly rounds: number;
  /** Passes over the own data per round. */
  readonly epochs: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly momentum: number;
  /** Updates at which a round is aggregated at once. */
  readonly quorum: number;
  /** Updates that suffice after the deadline. */
  readonly updatesMin: number;
  readonly deadlineMs: number;
  /** How updates become one; if absent, by their mean, weighed by samples. */
  readonly aggregation?: Aggregation;
  /** Share of the last round's change that is added to this one's, over 0 and under 1. */
  readonly serverMomentum?: number;
  /** How updates are compressed; if absent, not at all. */
  readonly compression?: Compression;
  /** How members hide their rows; if absent, not at all. */
  readonly privacy?: Privacy;
  /** How updates are masked; if absent, not at all. */
  readonly masking?: Masking;
  /** Share of its last update that a member's next one keeps, over 0 and under 1. */
  readonly workerMomentum?: number;
  /** Rows that everybody trusts and can read, in the place of a rule. */
  readonly reference?: Reference;
  /** Whether members commit to their updates before they see others'; not if absent. */
  readonly commitReveal?: boolean;
  /** How many samples this node trains on; 0 starts the run without joining it. */
  readonly samples: number;
}

/** A run as this node sees it. */
export interface RunView {
  readonly run: string;
  readonly name: string;
  readonly state: "waiting" | "running" | "finished";
  /** The last aggregated round; 0 before the first. */
  readonly round: number;
  readonly rounds: number;
  readonly founder: string;
  readonly members: readonly string[];
  /** Whether this node is a member. */
  readonly contributing: boolean;
  readonly weightsCid: string | null;
  readonly specification: Specification;
  readonly classes: readonly string[];
  readonly scaling: Scaling;
  readonly epochs: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly momentum: number;
  /** How updates become one; null: by their mean, weighed by samples. */
  readonly aggregation: Aggregation | null;
  /** Share of the last round's change that is added to this one's; 0 for none. */
  readonly serverMomentum: number;
  /** How updates are compressed; null: not at all. */
  readonly compression: Compression | null;
  /** How members hide their rows, and what their updates tell; null: not at all, and everything. */
  readonly privacy: PrivacyView | null;
  /** How updates are masked, so that nobody sees one alone; null: not at all. */
  readonly masking: Masking | null;
  /** Share of its last update that a member's next one keeps; 0 for none. */
  readonly workerMomentum: number;
  /** How many trusted rows each round is measured by, in the place of a rule; 0 for none. */
  readonly trustedRows: number;
  /** Whether members commit to their updates before they see others'. */
  readonly commitReveal: boolean;
  /** What the open round waits for, where rounds have several steps and somebody is missing. */
  readonly waiting: Waiting | null;
}

/** A step of a round with commitments or masks, and who has not taken it. */
export interface Waiting {
  readonly step: "commitments" | "updates" | "deals" | "masked-updates" | "shares";
  /** Which try of the round it is, from 0; of rounds with commitments. */
  readonly attempt: number;
  readonly members: readonly string[];
}

/** The current model of a run. */
export interface RunModel {
  readonly run: string;
  readonly name: string;
  /** The round of these weights; 0 are the initial ones. */
  readonly round: number;
  /** Raw little-endian f32. */
  readonly weights: Uint8Array;
  readonly specification: Specification;
  readonly classes: readonly string[];
  readonly scaling: Scaling;
}

/** A connected peer that proved its identity. */
export interface PeerView {
  readonly id: string;
  readonly transport: "ws" | "wss" | "webrtc";
  /** `relayed` through another node, which passes on what it cannot read. */
  readonly path: "direct" | "relayed";
  readonly address: string;
  readonly outbound: boolean;
  /** What secures the connection: `hybrid` stands up to quantum computers, `classical` does not. */
  readonly channel: "hybrid" | "classical";
  readonly rttMs: number | null;
}

/** What can be done with a peer: `disconnect` keeps away from it for a minute. */
export type PeerOrder = "disconnect" | "ban" | "unban" | "ping";

/** An address at which nobody is connected. */
export interface AddressView {
  readonly address: string;
  /** Dials in a row that came to nothing. */
  readonly failures: number;
  /** Why the last one did, and what to do; empty when none was tried. */
  readonly reason: string;
  /** Until it may be tried again. */
  readonly nextMs: number;
  readonly dialling: boolean;
}

/** A node in numbers. */
export interface MeshStatus {
  readonly running: true;
  readonly nodeId: string;
  readonly network: string;
  readonly name: string;
  readonly addresses: readonly string[];
  readonly peers: readonly PeerView[];
  /** Node ids that the owner has banned. */
  readonly banned: readonly string[];
  readonly vertices: number;
  readonly blobs: { readonly count: number; readonly bytes: number };
  readonly runs: readonly RunView[];
  readonly finality: FinalityStatus;
  /** `bytes` is null when the store cannot say. */
  readonly storage: {
    readonly kind: "memory" | "indexeddb" | "sqlite";
    readonly bytes: number | null;
  };
  /** What was dropped, refused or penalised, by cause. */
  readonly counters: Readonly<Record<string, number>>;
}

/** What a join link is made of. */
export interface LinkInfo {
  readonly network: string;
  readonly name: string;
  /** The genesis of the network; null when it has none. */
  readonly genesis: Uint8Array | null;
  readonly addresses: readonly string[];
}

/** A training job; its result goes to `trained`. */
export interface TrainEvent {
  readonly type: "train";
  readonly job: number;
  readonly run: string;
  readonly name: string;
  readonly round: number;
  readonly seed: bigint;
  readonly epochs: number;
  readonly batch: number;
  readonly learningRate: number;
  readonly momentum: number;
  readonly specification: Specification;
  readonly scaling: Scaling;
  readonly classes: readonly string[];
  readonly baseWeights: Uint8Array;
}

/** What happened, or is to be done. */
export type MeshEvent =
  | { readonly type: "ready"; readonly addresses: readonly string[] }
  | {
      readonly type: "peer";
      readonly id: string;
      readonly transport: "ws" | "wss" | "webrtc";
      readonly state: "connected";
      readonly address: string;
    }
  | {
      readonly type: "peer";
      readonly id: string;
      readonly transport: "ws" | "wss" | "webrtc";
      readonly state: "disconnected";
      readonly reason: string;
    }
  | TrainEvent
  | {
      readonly type: "update";
      readonly run: string;
      readonly round: number;
      readonly author: string;
      readonly samples: number;
    }
  | {
      readonly type: "round";
      readonly run: string;
      readonly name: string;
      readonly round: number;
      readonly rounds: number;
      readonly updates: number;
      readonly contributors: readonly string[];
      /** Whose updates it does not have and why, in a run with commitments. */
      readonly leftOut: readonly LeftOut[];
      readonly aggregate: string;
      readonly weightsCid: string;
    }
  | {
      readonly type: "run";
      readonly run: string;
      readonly name: string;
      readonly state: "started" | "joined" | "left" | "finished";
    }
  | ({ readonly type: "finalised" } & FinalItem)
  | { readonly type: "epoch"; readonly epoch: number; readonly members: number }
  | { readonly type: "finality"; readonly state: FinalityState }
  | HandledCell
  | {
      readonly type: "warning";
      readonly code: string;
      readonly message: string;
      readonly hint: string;
    }
  | { readonly type: "stopped" };
"#;
