/**
 * What the node's thread and a training thread say to each other.
 *
 * Rows are named by the file they are in (or given once as bytes), parsed in the training thread
 * and never leave it: what comes back are updates, figures and answers.
 */
import type { Problem } from '../errors.js'
import type { Converted, Format } from '../neural/convert.js'
import type { FannInfo, FannPlan } from '../neural/fann/model.js'
import type { FannTrainOptions } from '../neural/fann/options.js'
import type { Loss, ParseOptions, Scaling, Specification, Task, TrainedUpdate } from '../wasm.js'
import type { Algorithm } from './optimisers.js'
import type { LayerInfo } from './shapes.js'

/** Where rows come from. */
export type Source = { readonly file: string } | { readonly bytes: Uint8Array }

/** How inputs are scaled: measured on the rows, from a known range, or not at all. */
export type ScalingChoice =
  | { readonly kind: 'standard' }
  | { readonly kind: 'range'; readonly min: number; readonly max: number }
  | { readonly kind: 'none' }

/** What is known about rows without seeing them. */
export interface RowsInfo {
  readonly rows: number
  readonly features: number
  readonly classes: readonly string[]
  readonly task: Task
  readonly scaling: Scaling
}

/** How well a network does; accuracy is null where there are no classes. */
export interface Score {
  readonly loss: number
  readonly accuracy: number | null
}

/** Settings of a training of its own, as `neural train` takes them. */
export interface FitOptions {
  /** At most; of a cascade, which ends by itself, undefined. */
  readonly epochs: number | undefined
  /** Rows per step; chosen by the number of rows where it is undefined. */
  readonly batch: number | undefined
  /** Chosen by the algorithm where it is undefined. */
  readonly learningRate: number | undefined
  readonly momentum: number | undefined
  /** Undefined: what goes with the network. */
  readonly algorithm: Algorithm | undefined
  /** Further ones of the algorithms of FANN. */
  readonly fann: FannTrainOptions
  readonly weightDecay: number | undefined
  readonly clipNorm: number | undefined
  readonly warmUpSteps: number | undefined
  readonly decayEpochs: number | undefined
  readonly decayFactor: number | undefined
  readonly classWeights: readonly number[] | 'balanced' | undefined
  readonly seed: bigint
  /** Share of the rows held out for the test, 0 for none. */
  readonly testSplit: number
  /** Rows for the test, instead of a share of the others. */
  readonly test: Source | undefined
  /** Share of the other rows held out to choose the best epoch by, 0 for none. */
  readonly validationSplit: number
  /** Epochs without a better one after which the training ends. */
  readonly patience: number | undefined
  readonly parse: ParseOptions
  readonly scaling: ScalingChoice
}

/** What `neural train` reports, and the model it made. */
export interface FitResult {
  readonly trainAccuracy: number | null
  readonly validationAccuracy: number | null
  readonly testAccuracy: number | null
  /** On the training rows. */
  readonly loss: number
  readonly validationLoss: number | null
  readonly testLoss: number | null
  /** Which loss it is. */
  readonly lossName: Loss
  readonly algorithm: Algorithm
  /** Epochs that were trained. */
  readonly epochs: number
  /** The epoch whose weights these are, counted from 1. */
  readonly bestEpoch: number
  /** Why there were no more epochs. */
  readonly ended: 'epochs' | 'patience' | 'interrupted' | 'diverged' | 'done'
  /** Neurons that a cascade added; null of any other algorithm. */
  readonly neurons: number | null
  /** How it diverged. */
  readonly problem: Problem | undefined
  readonly weightsCid: string
  readonly rows: { readonly train: number; readonly validation: number; readonly test: number }
  readonly task: Task
  readonly classes: readonly string[]
  readonly model: Uint8Array
}

/** How well a model does on rows it was not trained with. */
export interface Assessment {
  readonly rows: number
  readonly task: Task
  readonly loss: number
  /** Which loss it is. */
  readonly lossName: Loss
  /** Share of the rows that are told right; null for numbers. */
  readonly accuracy: number | null
  /** How far off the answers are on average, in units of the label; null for classes. */
  readonly meanAbsoluteError: number | null
  readonly classes: readonly string[]
  /** Rows of each class, by what they were taken for: `[actual][answer]`; empty for numbers. */
  readonly confusion: readonly (readonly number[])[]
}

/** What a model file says about its network. */
export interface ModelInfo {
  /** Null of a network of FANN. */
  readonly specification: Specification | null
  readonly layers: readonly LayerInfo[]
  /** Null of a network of layers. */
  readonly fann: FannInfo | null
  readonly parameters: number
  /** Null before the first training. */
  readonly task: Task | null
  readonly classes: readonly string[]
  readonly scaling: Scaling | null
  readonly weightsCid: string
}

/** A training of one member alone, to compare with. */
export interface AloneOptions {
  readonly specification: Specification
  readonly seed: bigint
  readonly epochs: number
  readonly batch: number
  readonly learningRate: number
  readonly momentum: number
}

/** Everything a training thread can be asked, by name: arguments and answer. */
export interface Operations {
  /** Reads rows, says what they are, forgets them. */
  inspect: [{ source: Source; parse: ParseOptions; scaling: ScalingChoice }, RowsInfo]
  /** Reads rows and holds them, scaled, under an id. */
  load: [{ id: string; source: Source; parse: ParseOptions; scaling: Scaling }, RowsInfo]
  /** Forgets rows. */
  unload: [{ id: string }, null]
  /** One member's part of one round. */
  update: [
    {
      id: string
      specification: Specification
      baseWeights: Uint8Array
      epochs: number
      batch: number
      learningRate: number
      momentum: number
      seed: bigint
    },
    TrainedUpdate,
  ]
  /** How well given weights do on held rows. */
  evaluate: [{ id: string; specification: Specification; weights: Uint8Array }, Score]
  /** Trains from scratch on held rows and scores on others (or on the same). */
  alone: [{ id: string; testId: string | undefined } & AloneOptions, Score]
  /** A new model file. */
  create: [
    { seed: bigint } & ({ specification: Specification } | { plan: FannPlan }),
    { model: Uint8Array; parameters: number; weightsCid: string; fann: FannInfo | null },
  ]
  /** The same network in another kind of file. */
  convert: [{ model: Uint8Array; modelFile: string; format: Format }, Converted]
  /** Trains a model on rows. */
  fit: [{ model: Uint8Array; modelFile: string; source: Source } & FitOptions, FitResult]
  /** How well a model does on labelled rows. */
  assess: [
    { model: Uint8Array; modelFile: string; source: Source; parse: ParseOptions },
    Assessment,
  ]
  /** What is in a model file. */
  describe: [{ model: Uint8Array; modelFile: string }, ModelInfo]
  /** Answers for rows. */
  predict: [
    {
      model: Uint8Array
      modelFile: string
      source: Source
      header: boolean | undefined
      label: string | number | undefined
    },
    { outputs: number[][]; classes: string[] },
  ]
}

/** Name of an operation. */
export type Operation = keyof Operations
/** What an operation takes. */
export type Argument<O extends Operation> = Operations[O][0]
/** What an operation gives. */
export type Answer<O extends Operation> = Operations[O][1]

/** How far an operation is. */
export interface TrainingProgress {
  readonly epoch: number
  /** Of a cascade, which ends by itself, those so far. */
  readonly epochs: number
  /** Neurons that a cascade has added. */
  readonly neurons?: number
  readonly loss: number
  /** On the rows held out for validation, if there are any. */
  readonly validation?: Score
}

/** To the training thread. */
export type Request =
  | { readonly id: number; readonly operation: Operation; readonly argument: unknown }
  | { readonly id: number; readonly cancel: true }

/** From the training thread. */
export type Reply =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: Problem }
  | { readonly id: number; readonly progress: TrainingProgress }
