// The types for `require('synaptic-mesh')`: the names of node.d.ts, as a CommonJS module has them.
import type * as esm from './node.js' with { 'resolution-mode': 'import' }

declare const api: typeof esm

declare namespace api {
  type Activation = esm.Activation
  type ClosesView = esm.ClosesView
  type CommitteeMember = esm.CommitteeMember
  type CommitteeView = esm.CommitteeView
  type ConsensusEngine = esm.ConsensusEngine
  type CreateNodeOptions = esm.CreateNodeOptions
  type DagAuthor = esm.DagAuthor
  type DagEntry = esm.DagEntry
  type DagFault = esm.DagFault
  type DagHistory = esm.DagHistory
  type DagStats = esm.DagStats
  type DagVerified = esm.DagVerified
  type Dataset = esm.Dataset
  type FinalItem = esm.FinalItem
  type FinalityState = esm.FinalityState
  type FinalityStatus = esm.FinalityStatus
  type GroupTask = esm.GroupTask
  type GroupTaskChange = esm.GroupTaskChange
  type GroupView = esm.GroupView
  type ItemView = esm.ItemView
  type JoinLink = esm.JoinLink
  type Lagged = esm.Lagged
  type LogOptions = esm.LogOptions
  type Membership = esm.Membership
  type MemberView = esm.MemberView
  type Mismatch = esm.Mismatch
  type Movement = esm.Movement
  type Names = esm.Names
  type NameView = esm.NameView
  type Network = esm.Network
  type NeuralModule = esm.NeuralModule
  type Node = esm.Node
  type NodeEvent = esm.NodeEvent
  type NodeOptions = esm.NodeOptions
  type NodeStatus = esm.NodeStatus
  type Payment = esm.Payment
  type PeerView = esm.PeerView
  type PendingPayment = esm.PendingPayment
  type Problem = esm.Problem
  type ProofOptions = esm.ProofOptions
  type ProvenItem = esm.ProvenItem
  type ResultView = esm.ResultView
  type RoundView = esm.RoundView
  type RowsRequest = esm.RowsRequest
  type RunModel = esm.RunModel
  type RunRequest = esm.RunRequest
  type RunView = esm.RunView
  type SamplingStatus = esm.SamplingStatus
  type Scaling = esm.Scaling
  type Score = esm.Score
  type ScoreView = esm.ScoreView
  type ShownVertex = esm.ShownVertex
  type Specification = esm.Specification
  type SynapticError = esm.SynapticError
  type Task = esm.Task
  type TrainingEvent = esm.TrainingEvent
  type TrainingView = esm.TrainingView
  type TrainOptions = esm.TrainOptions
  type TransferRequest = esm.TransferRequest
  type UpdateView = esm.UpdateView
  type VerifyProof = esm.VerifyProof
  type VerifyReport = esm.VerifyReport
  type WaitOptions = esm.WaitOptions
  type Wallet = esm.Wallet
  type WalletView = esm.WalletView
  type WhyNot = esm.WhyNot
}

export = api
