/** The options of FANN's algorithms: which belong to which, and in what range they are. */
import { SynapticError } from '../../errors.js'
import { given } from '../../given.js'
import type { FannOptions, FannSettings } from '../../wasm.js'
import { unknownOption } from '../arguments.js'
import { type FannActivation, numberOf, steepOf } from './activations.js'

/** The algorithms of FANN. */
export const FANN_ALGORITHMS = [
  'incremental',
  'batch',
  'rprop',
  'quickprop',
  'sarprop',
  'cascade',
] as const

/** The name of an algorithm of FANN. */
export type FannAlgorithm = (typeof FANN_ALGORITHMS)[number]

/** How FANN's algorithms train: libfann's parameters, and what a cascade is made of. */
export interface FannTrainOptions extends Omit<FannOptions, 'errorFunction'> {
  /**
   * What is passed back for a difference: itself, or more for large ones. A network of FANN has
   * "tanh" by default, as libfann; a cascade and a network of layers "linear".
   */
  readonly errorFunction?: 'linear' | 'tanh'
  /**
   * Of every algorithm: ends the training when the loss is no larger, or with
   * `stopFunction: 'bit'` when no more bits of a network of FANN fail: 0 or more. A cascade has 0
   * by default, and counts failed bits.
   */
  readonly desiredError?: number
  /** How many neurons a cascade may add, 1 to 4000; 30 by default. */
  readonly maxNeurons?: number
  /** What a cascade's candidates compute, by default ten of FANN's. */
  readonly cascadeActivationFunctions?: readonly FannActivation[]
  /** With which steepnesses, each 0 to 100; 0.25, 0.5, 0.75 and 1 by default. */
  readonly cascadeActivationSteepnesses?: readonly number[]
}

type Range = readonly [least: number, most: number, kind?: 'whole' | 'open']

const EPOCHS: Range = [0, 100_000, 'whole']
const SHIFT: Range = [-100, 100]

const RANGES: Readonly<Record<string, Range>> = {
  learningRate: [0, 100, 'open'],
  momentum: [0, 0.999_999],
  bitFailLimit: [0, 2],
  desiredError: [0, 1e9],
  maxNeurons: [1, 4_000, 'whole'],
  quickpropDecay: [-1, 0],
  quickpropMu: [1, 100],
  rpropIncreaseFactor: [1, 10],
  rpropDecreaseFactor: [0, 1],
  rpropDeltaMin: [0, 1_000],
  rpropDeltaMax: [0, 1_000],
  rpropDeltaZero: [0, 1_000],
  sarpropWeightDecayShift: SHIFT,
  sarpropStepErrorThresholdFactor: [0, 1_000],
  sarpropStepErrorShift: SHIFT,
  sarpropTemperature: [0, 100],
  cascadeOutputChangeFraction: [0, 1],
  cascadeOutputStagnationEpochs: EPOCHS,
  cascadeCandidateChangeFraction: [0, 1],
  cascadeCandidateStagnationEpochs: EPOCHS,
  cascadeMaxOutEpochs: [1, 100_000, 'whole'],
  cascadeMinOutEpochs: EPOCHS,
  cascadeMaxCandEpochs: [1, 100_000, 'whole'],
  cascadeMinCandEpochs: EPOCHS,
  cascadeNumCandidateGroups: [1, 1_024, 'whole'],
  cascadeCandidateLimit: [0, 1e9],
  cascadeWeightMultiplier: [0, 10],
}

const NAMES: Readonly<Record<string, readonly string[]>> = {
  errorFunction: ['linear', 'tanh'],
  stopFunction: ['mse', 'bit'],
  cascadeAlgorithm: ['rprop', 'quickprop', 'sarprop'],
}

const TRUTHS = ['rpropRests']

const LISTS = ['cascadeActivationFunctions', 'cascadeActivationSteepnesses'] as const

/** Every option but those that all algorithms have. */
export const FANN_OPTIONS: readonly string[] = [
  ...Object.keys(RANGES),
  ...Object.keys(NAMES),
  ...TRUTHS,
  ...LISTS,
]

/** Whether an algorithm is one of FANN's. */
export function isFannAlgorithm(name: string): name is FannAlgorithm {
  return (FANN_ALGORITHMS as readonly string[]).includes(name)
}

/**
 * The settings of a training for the core.
 *
 * @throws SynapticError `option-invalid`
 */
export function fannSettings(
  algorithm: FannAlgorithm,
  options: FannTrainOptions,
  seed: bigint,
): FannSettings {
  for (const [name, value] of Object.entries(given(options))) {
    if (!FANN_OPTIONS.includes(name)) {
      throw unknownOption(
        name,
        FANN_OPTIONS.filter((one) => belongs(one, algorithm)),
        algorithm,
      )
    }
    if (!belongs(name, algorithm)) {
      throw invalid(`"${name}" means nothing to ${algorithm}`, 'leave it out')
    }
    check(name, value)
  }
  const { cascadeActivationFunctions: kinds, maxNeurons: _, ...rest } = options
  const cascade = algorithm === 'cascade' && { errorFunction: 'linear', stopFunction: 'bit' }
  return {
    ...(cascade as { errorFunction: 'linear'; stopFunction: 'bit' } | false),
    ...given(rest),
    ...(kinds && { cascadeActivationFunctions: kinds.map((kind) => numberOf(kind)) }),
    algorithm,
    seed,
  }
}

/** The value of an option as text has it: a number, a name, or a list of either. */
export function fannOptionOf(name: string, text: string): unknown {
  if (name in NAMES) return text
  if (TRUTHS.includes(name)) return text === 'true' || (text === 'false' ? false : text)
  const parts = text.split('/')
  if (name === 'cascadeActivationFunctions') return parts
  const number = (part: string): number => (part.trim() === '' ? Number.NaN : Number(part))
  return name === 'cascadeActivationSteepnesses' ? parts.map(number) : number(text)
}

function belongs(name: string, algorithm: FannAlgorithm): boolean {
  if (!FANN_OPTIONS.includes(name)) return false
  if (name === 'momentum') return algorithm === 'incremental'
  if (name.startsWith('cascade') || name === 'maxNeurons') return algorithm === 'cascade'
  if (name === 'learningRate') return !['rprop', 'sarprop'].includes(algorithm)
  const owner = /^(quickprop|rprop|sarprop)/.exec(name)?.[0]
  if (owner === undefined || owner === algorithm || algorithm === 'cascade') return true
  // SARPROP is RPROP with noise: its steps grow and shrink by the same factors.
  return owner === 'rprop' && algorithm === 'sarprop'
}

function check(name: string, value: unknown): void {
  const names = NAMES[name]
  if (names !== undefined) {
    if (names.includes(value as string)) return
    throw invalid(`${name} is one of ${names.join(', ')}`, 'choose one of them')
  }
  if (TRUTHS.includes(name)) {
    if (typeof value === 'boolean') return
    throw invalid(`${name} is true or false`, 'choose one of them')
  }
  const range = RANGES[name]
  if (range !== undefined) {
    checkNumber(name, value, range)
    return
  }
  const list = Array.isArray(value) ? value : []
  if (list.length === 0)
    throw invalid(`${name} is a list with something in it`, 'name at least one')
  for (const one of list) {
    if (name === 'cascadeActivationSteepnesses') checkNumber(name, one, [0, 100])
    else steepOf(String(one))
  }
}

function checkNumber(name: string, value: unknown, [least, most, kind]: Range): void {
  const fits =
    typeof value === 'number' &&
    value >= least &&
    value <= most &&
    (kind !== 'whole' || Number.isInteger(value)) &&
    (kind !== 'open' || value > least)
  if (fits) return
  const what = kind === 'whole' ? 'a whole number' : 'a number'
  const from = kind === 'open' ? `above ${least} and at most ${most}` : `from ${least} to ${most}`
  throw invalid(`${name} is ${what} ${from}`, 'choose a number in the range')
}

function invalid(message: string, hint: string): SynapticError {
  return new SynapticError('option-invalid', message, hint)
}
