// The types for `require('synaptic-mesh')`: the names of index.d.ts, as a CommonJS module has them.
import type * as esm from './index.js' with { 'resolution-mode': 'import' }

declare const api: typeof esm

declare namespace api {
  type Activation = esm.Activation
  type CreateNodeOptions = esm.CreateNodeOptions
  type Dataset = esm.Dataset
  type JoinLink = esm.JoinLink
  type Lagged = esm.Lagged
  type Membership = esm.Membership
  type Mismatch = esm.Mismatch
  type Network = esm.Network
  type NeuralModule = esm.NeuralModule
  type Node = esm.Node
  type NodeEvent = esm.NodeEvent
  type NodeOptions = esm.NodeOptions
  type NodeStatus = esm.NodeStatus
  type PeerView = esm.PeerView
  type Problem = esm.Problem
  type RowsRequest = esm.RowsRequest
  type RunModel = esm.RunModel
  type RunRequest = esm.RunRequest
  type RunView = esm.RunView
  type Scaling = esm.Scaling
  type Score = esm.Score
  type Specification = esm.Specification
  type SynapticError = esm.SynapticError
  type Task = esm.Task
  type TrainOptions = esm.TrainOptions
  type TrainingEvent = esm.TrainingEvent
  type VerifyReport = esm.VerifyReport
}

export = api
