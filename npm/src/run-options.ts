/**
 * A request to start or join a run: what users and programs give, checked and completed.
 *
 * The same shape is used by `createNode`, by the command line and by the control API, so there is
 * one place for defaults and bounds.
 */
import { type AggregationRequest, completeAggregation, UPDATES_MIN } from './aggregation.js'
import { type Attack, checkAttack } from './attack.js'
import { type CompressionRequest, completeCompression } from './compression.js'
import { usageError } from './errors.js'
import type { JoinRunOptions, StartRunOptions } from './host/runs.js'
import { completeMasking, type MaskingRequest, withMasks } from './masking.js'
import { completePrivacy, type PrivacyRequest } from './privacy.js'
import type { ScalingChoice, Source } from './training/protocol.js'
import { ACTIVATIONS } from './training/specification.js'
import type { Activation, Task } from './wasm.js'

/** Rows of a member: a file, or the bytes of one. */
export interface RowsRequest {
  /** Path of a CSV file, or its bytes. It is read by this node and never leaves it. */
  readonly data: string | Uint8Array
  /** Held-out rows on which every round is scored. */
  readonly test?: string | Uint8Array
  /** Column of the label, by name or by number from 0; the last one if absent. */
  readonly label?: string | number
  /** Train on the own rows only first, to have something to compare with. */
  readonly alone?: boolean
  /**
   * For experiments: send updates that lie, until the node is started again, to see what the rule
   * of the run does with them.
   */
  readonly attack?: Attack | undefined
}

/** A run to start. Everything but name, rows and layers has a default. */
export interface RunRequest
  extends RowsRequest,
    AggregationRequest,
    CompressionRequest,
    MaskingRequest,
    PrivacyRequest {
  /** Name by which others join: a-z, 0-9 and "-", at most 64 characters. */
  readonly name: string
  /** Inputs, hidden layers, outputs. */
  readonly layers: readonly number[]
  readonly activation?: Activation
  readonly task?: Task
  /** All classes, where the rows of this member do not show them all. */
  readonly classes?: readonly string[]
  /** Inputs are scaled from this range to 0..1; else standardised by this member's rows. */
  readonly range?: readonly [min: number, max: number]
  readonly rounds?: number
  readonly epochs?: number
  readonly batch?: number
  readonly learningRate?: number
  readonly momentum?: number
  /** Share of the last round's change that is added to this one's; 0 unless given. */
  readonly serverMomentum?: number
  /** Share of its last update that a member's next one keeps; 0 unless given. */
  readonly workerMomentum?: number
  /**
   * A few rows that everybody trusts, in the place of a rule: path of a CSV file, or its bytes.
   * Everybody can read them.
   */
  readonly reference?: string | Uint8Array
  /** Whether members commit to their updates before they see others'; not unless given. */
  readonly commitReveal?: boolean
  /** Updates that close a round early; never more than there are active members. */
  readonly quorum?: number
  /** Updates without which no round closes; 2, or as many as the rule needs. */
  readonly updatesMin?: number
  /** Milliseconds after which a round closes without the missing updates. */
  readonly deadlineMs?: number
  readonly seed?: number | bigint
}

/** Defaults of a run; `docs/benchmarks.md` has the accuracy they reach on uneven data. */
export const RUN_DEFAULTS = {
  activation: 'relu',
  rounds: 60,
  epochs: 5,
  batch: 32,
  learningRate: 0.3,
  momentum: 0,
  serverMomentum: 0,
  workerMomentum: 0,
  /** As many as there are active members: the core takes the smaller of the two. */
  quorum: 256,
  /** A run of one is no run: the founder waits for somebody. A rule may need more. */
  updatesMin: UPDATES_MIN,
  deadlineMs: 10_000,
  seed: 1,
} as const

/** The smallest number over 0, and the largest under 1, of single precision. */
const SINGLE_MIN = 2 ** -149
const SINGLE_UNDER_ONE = 1 - 2 ** -24

/** As the core's bounds on run specifications. */
const BOUNDS = {
  rounds: [1, 10_000],
  epochs: [1, 1_000],
  batch: [1, 4_096],
  learningRate: [SINGLE_MIN, 100],
  momentum: [0, SINGLE_UNDER_ONE],
  serverMomentum: [0, SINGLE_UNDER_ONE],
  workerMomentum: [0, SINGLE_UNDER_ONE],
  quorum: [1, 256],
  updatesMin: [1, 256],
  deadlineMs: [100, 86_400_000],
} as const

/** A number of a run that has a default and bounds. */
export type RunNumber = keyof typeof BOUNDS

const WHOLE: readonly RunNumber[] = [
  'rounds',
  'epochs',
  'batch',
  'quorum',
  'updatesMin',
  'deadlineMs',
]

/** Numbers that the core takes in single precision: what counts is what they are rounded to. */
const SINGLE: readonly RunNumber[] = [
  'learningRate',
  'momentum',
  'serverMomentum',
  'workerMomentum',
]

/** One value for each number of a run. */
export function eachNumber<T>(value: (key: RunNumber) => T): Record<RunNumber, T> {
  const keys = Object.keys(BOUNDS) as RunNumber[]
  return Object.fromEntries(keys.map((key) => [key, value(key)])) as Record<RunNumber, T>
}

/** Fills in the defaults and checks the bounds of a run to start. */
export function completeRun(asked: RunRequest): StartRunOptions {
  const masking = completeMasking(asked, asked)
  const request = withMasks(asked)
  if (!/^[a-z0-9-]{1,64}$/.test(request.name)) {
    throw usageError(
      request.name === '' ? 'a run needs a name' : `"${request.name}" cannot be the name of a run`,
      'use a-z, 0-9 and "-", at most 64 characters',
    )
  }
  const activation = request.activation ?? RUN_DEFAULTS.activation
  if (!ACTIVATIONS.includes(activation)) {
    throw usageError(`unknown activation "${activation}"`, `use ${ACTIVATIONS.join(', ')}`)
  }
  return {
    ...completeRows(request),
    name: request.name,
    layers: request.layers,
    activation,
    task: request.task,
    classes: request.classes,
    scaling: scalingOf(request.range),
    ...eachNumber((key) => checkNumber(key, request[key] ?? RUN_DEFAULTS[key])),
    // Checked above, so that what a rule needs is compared with a number.
    ...completeAggregation(request, request.updatesMin, request.reference !== undefined),
    reference: request.reference === undefined ? undefined : sourceOf(request.reference),
    compression: completeCompression(request),
    privacy: completePrivacy(request),
    masking,
    commitReveal: request.commitReveal ?? false,
    seed: BigInt(request.seed ?? RUN_DEFAULTS.seed),
  }
}

/** Rows to take part with. */
export function completeRows(request: RowsRequest): JoinRunOptions {
  return {
    data: sourceOf(request.data),
    test: request.test === undefined ? undefined : sourceOf(request.test),
    label: request.label,
    alone: request.alone ?? false,
    attack: checkAttack(request.attack),
  }
}

/** The user's choice of scaling. */
export function scalingOf(range: readonly [number, number] | undefined): ScalingChoice {
  if (range === undefined) return { kind: 'standard' }
  const [min, max] = range
  if (!(Number.isFinite(min) && Number.isFinite(max) && min < max)) {
    throw usageError(`${min},${max} is not a range`, 'give the smallest and largest value: 0,16')
  }
  return { kind: 'range', min, max }
}

function sourceOf(rows: string | Uint8Array): Source {
  return typeof rows === 'string' ? { file: rows } : { bytes: rows }
}

function checkNumber(key: RunNumber, value: number): number {
  const [min, max] = BOUNDS[key]
  const whole = WHOLE.includes(key)
  const sent = SINGLE.includes(key) ? Math.fround(value) : value
  const isWithin = sent >= min && sent <= max
  // What is given and rounds to nothing is not what was asked for.
  const isLost = sent === 0 && value !== 0
  if (isWithin && !isLost && (!whole || Number.isInteger(sent))) return value
  const kind = whole ? 'a whole number' : 'a number'
  throw usageError(`${key} is ${value}`, `give ${kind} from ${min} to ${max}`)
}
