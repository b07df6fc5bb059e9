/**
 * What the node's thread and a training thread say to each other.
 *
 * Rows are named by the file they are in (or given once as bytes), parsed in the training thread
 * and never leave it: what comes back are updates, figures and answers.
 */

import type { Problem } from '../errors.js'
import type { FormatName } from '../formats/formats.js'
import type { Dtype } from '../formats/storage.js'
import type { FannInfo, FannPlan } from '../neural/fann/model.js'
import type { FannTrainOptions } from '../neural/fann/options.js'
import type {
  Column,
  Loss,
  ParseOptions,
  Reference,
  Scaling,
  Specification,
  Task,
  TrainedUpdate,
} from '../wasm.js'
import type { Algorithm } from './optimisers.js'
import type { LayerInfo } from './shapes.js'

/** Where rows come from. */
export type Source = { readonly file: string } | { readonly bytes: Uint8Array }

/** How inputs are scaled: measured on the rows, from a known range, or not at all. */
export type ScalingChoice =
  | { readonly kind: 'standard' }
  | { readonly kind: 'range'; readonly min: number; readonly max: number }
  /** Measured: the smallest number of the rows becomes 0, the largest 1. */
  | { readonly kind: 'unit' }
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
  readonly cosineEpochs: number | undefined
  readonly cosineLeast: number | undefined
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
  /** How rows are read; `gaps` asks for values that are missing to be filled. */
  readonly parse: ParseOptions
  /** Undefined for the usual: standardised, or as the network needs it. */
  readonly scaling: ScalingChoice | undefined
  /** The form of the file that comes out. */
  readonly format: FormatName
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
  /** Whether the targets were scaled to a variance of 1, and the losses are in its units. */
  readonly targetsScaled: boolean
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
  readonly ignored: readonly string[]
  readonly model: Uint8Array
}

/** How well a model does on rows it was not trained with. */
export interface Assessment {
  readonly rows: number
  readonly task: Task
  readonly loss: number
  /** Which loss it is. */
  readonly lossName: Loss
  /** Whether the loss is in units of the variance of the targets. */
  readonly targetsScaled: boolean
  /** Share of the rows that are told right; null for numbers. */
  readonly accuracy: number | null
  /** How far off the answers are on average, in units of the label; null for classes. */
  readonly meanAbsoluteError: number | null
  readonly classes: readonly string[]
  /** Columns that were left out because the model has none of their name. */
  readonly ignored: readonly string[]
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
  /** What the columns of its tables become; empty if they are numbers without names. */
  readonly columns: readonly Column[]
  readonly weightsCid: string
}

/** A model that was written in another form. */
export interface Conversion {
  readonly model: Uint8Array
  /** What the form cannot carry. */
  readonly lost: readonly string[]
  readonly parameters: number
  /** Of the parameters as they come back from the new file. */
  readonly weightsCid: string
  /** How far a parameter comes back from what it was, at most; null if the form is not read, or has
   * them in another order. */
  readonly largestError: number | null
  /**
   * Whether FANN's own loss is of other targets than these losses: of a classifier with symmetric
   * outputs -1 and 1, and not 0 and 1.
   */
  readonly otherTargets: boolean
  /** On the rows that were given, as it was and as it comes back. */
  readonly before: (Score & { readonly rows: number }) | null
  readonly after: (Score & { readonly rows: number }) | null
}

/** Durations of one thing, each in microseconds. */
export interface Timing {
  readonly samples: number
  /** Half of the samples took less. */
  readonly medianUs: number
  /** A tenth of them took less. */
  readonly p10Us: number
  /** Nine tenths of them took less. */
  readonly p90Us: number
}

/** How long a model takes on this machine. */
export interface Bench {
  readonly parameters: number
  /** For each batch: `run` for one row, `runBatch` for more; rows through the network per second. */
  readonly run: readonly (Timing & {
    readonly batch: number
    readonly networksPerSecond: number
  })[]
  /** An epoch over the given rows; null without rows. */
  readonly epoch:
    | (Timing & { readonly rows: number; readonly batch: number; readonly rowsPerSecond: number })
    | null
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
  /** Rows that everybody trusts, scaled, for everybody to read. */
  trusted: [{ source: Source; parse: ParseOptions; scaling: Scaling }, Reference]
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
    { seed: bigint; force: boolean; format: FormatName } & (
      | { specification: Specification }
      | { plan: FannPlan }
    ),
    { model: Uint8Array; parameters: number; weightsCid: string; fann: FannInfo | null },
  ]
  /** Trains a model on rows. */
  fit: [{ model: Uint8Array; modelFile: string; source: Source } & FitOptions, FitResult]
  /** How well a model does on labelled rows. */
  assess: [
    { model: Uint8Array; modelFile: string; source: Source; parse: ParseOptions },
    Assessment,
  ]
  /** What is in a model file. */
  describe: [{ model: Uint8Array; modelFile: string }, ModelInfo]
  /** The same model in another form of file, and what that does to it. */
  convert: [
    {
      model: Uint8Array
      modelFile: string
      format: FormatName
      dtype: Dtype
      /** Whether a network of FANN becomes one of layers. */
      layers: boolean
      /** Rows to compare the two with. */
      source: Source | undefined
      parse: ParseOptions
    },
    Conversion,
  ]
  /** Answers for rows. */
  predict: [
    {
      model: Uint8Array
      modelFile: string
      source: Source
      header: boolean | undefined
      label: ParseOptions['label']
    },
    { outputs: number[][]; classes: string[]; ignored: readonly string[] },
  ]
  /** Times a model, and an epoch over rows if there are any. */
  bench: [
    {
      model: Uint8Array
      modelFile: string
      batches: readonly number[]
      source: Source | undefined
      parse: ParseOptions
    },
    Bench,
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
  /** Mean over the rows, each measured just before the step that it took part in. */
  readonly loss: number
  /** Share of the rows told right at that moment; null for numbers. */
  readonly accuracy: number | null
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
