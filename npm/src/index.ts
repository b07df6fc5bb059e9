/**
 * The library for Node: a whole node in this process, or only the neural engine.
 */
import { proofVerifier, type VerifyProof } from './proof.js'
import { loadProof } from './wasm.js'

export type { AggregationRequest, RuleChoice } from './aggregation.js'
export type { Anonymous, AnonymousName, AnonymousProof, Travelled } from './anonymous.js'
export type { CompressionChoice, CompressionRequest } from './compression.js'
export type { DagHistory, LogOptions, ShownVertex } from './dag/history.js'
export { type Problem, SynapticError } from './errors.js'
export type { Lagged } from './host/hub.js'
export type { Membership, TrainingEvent } from './host/runs.js'
export type { PeerTrace, TracedFailure } from './host/trace.js'
export { decodeJoinLink, encodeJoinLink, type JoinLink } from './link.js'
export type { MaskingRequest } from './masking.js'
export type { MessageRequest, Messages } from './messages.js'
export { createNode, type Node, type NodeEvent, type NodeStatus } from './node.js'
export type { NodeOptions } from './node-options.js'
export type { PeerChange } from './peer-changes.js'
export type { Payment, PendingPayment } from './pending.js'
export type { PrivacyRequest } from './privacy.js'
export type { ProofOptions, VerifyProof } from './proof.js'
export type {
  ClosesView,
  LeftOut,
  MemberView,
  ResultView,
  RoundView,
  ScoreView,
  TrainingView,
  UpdateView,
  WhyNot,
} from './run-log.js'
export { type RowsRequest, RUN_DEFAULTS, type RunRequest } from './run-options.js'
export type { Score } from './training/protocol.js'
export type { HoldRequest, Names, TransferRequest, WaitOptions, Wallet } from './wallet.js'
export type {
  Activation,
  AddressView,
  CommitteeMember,
  CommitteeView,
  ConsensusEngine,
  DagAuthor,
  DagEntry,
  DagFault,
  DagStats,
  DagVerified,
  Dataset,
  FinalItem,
  FinalityState,
  FinalityStatus,
  GroupTask,
  GroupTaskChange,
  GroupView,
  ItemView,
  Mismatch,
  Movement,
  NameView,
  Network,
  NeuralModule,
  PeerView,
  ProvenItem,
  RunModel,
  RunView,
  SamplingStatus,
  Scaling,
  SealedMessage,
  SealedPage,
  Specification,
  Task,
  TrainOptions,
  VerifyReport,
  WalletView,
} from './wasm.js'
export { loadMesh, loadNeural } from './wasm.js'

/** Checks a proof that `node.proof(item)` gave; it loads no node. */
export const verifyProof: VerifyProof = proofVerifier(loadProof)
