/**
 * One training, step by step, whichever engine does it: the optimisers of layers, an algorithm of
 * FANN on a network of FANN, or one on the FANN network that computes what layers do.
 */
import { SynapticError } from '../errors.js'
import { given } from '../given.js'
import { ALGORITHMS, type Algorithm, batchFor, OPTIMISERS, RATES } from '../training/optimisers.js'
import { isOfProbabilities } from '../training/specification.js'
import type { TrainOptions as CoreOptions, Dataset, FannSettings, Loss, Network } from '../wasm.js'
import { nearest, unknownOption } from './arguments.js'
import type { AnyNetwork, Engines } from './engines.js'
import { fannOfLayers, takeWeights } from './fann/layers.js'
import { FannModel, type FannRows, FannTraining } from './fann/model.js'
import { descriptionOf } from './fann/net.js'
import { FANN_OPTIONS, fannSettings, isFannAlgorithm } from './fann/options.js'

/** A step that is done. */
export interface Step {
  /** Epochs so far; of a cascade those of outputs and candidates. */
  readonly epoch: number
  /** Mean loss per row. */
  readonly loss: number
  /** Share of the rows that were told right; null where that is not known. */
  readonly accuracy: number | null
  /** Outputs further off than the bit fail limit; of networks of FANN. */
  readonly bitFails?: number
  /** Neurons that a cascade has added. */
  readonly neurons?: number
}

/** A training under way. */
export interface Steps {
  /** The next step; undefined when the training has come to its end. */
  next(): Step | undefined
  /** Gives back what only the training needed. */
  free(): void
}

/** The options of a training besides its algorithm, its seed and its length. */
export type StepOptions = Readonly<Record<string, unknown>>

const STEP_OPTIONS = [
  ...['batch', 'learningRate', 'momentum', 'weightDecay', 'clipNorm', 'warmUpSteps', 'decayEpochs'],
  ...['decayFactor', 'cosineEpochs', 'cosineLeast', 'classWeights', 'shuffle', 'desiredError'],
]

/** The algorithm of a network for which none is chosen. */
export function usualFor(network: AnyNetwork): Algorithm {
  return network instanceof FannModel ? 'rprop' : 'adam'
}

/**
 * The network that an algorithm can train, which may be another one: what a cascade grows is a
 * network of FANN.
 *
 * @throws SynapticError `algorithm-does-not-fit`, `no-counterpart`
 */
export async function suited(
  engines: Engines,
  network: AnyNetwork,
  algorithm: Algorithm,
): Promise<AnyNetwork> {
  if (!ALGORITHMS.includes(algorithm)) throw unknown(algorithm)
  if (network instanceof FannModel) {
    if (isFannAlgorithm(algorithm)) return network
    throw new SynapticError(
      'algorithm-does-not-fit',
      `${algorithm} trains networks of layers, and this is one of FANN`,
      'use rprop, or make layers of it: neural convert --layers',
    )
  }
  if (algorithm !== 'cascade') return network
  const module = await engines.fann()
  const fann = fannOfLayers(module, network)
  return new FannModel(await engines.neural(), fann, descriptionOf(network))
}

/**
 * Begins a training on labelled rows.
 *
 * @throws SynapticError `option-invalid`, `no-counterpart`, `data-*`
 */
export async function stepsOf(
  engines: Engines,
  network: AnyNetwork,
  data: Dataset,
  algorithm: Algorithm,
  options: StepOptions,
  seed: bigint,
): Promise<Steps> {
  if (network instanceof FannModel) {
    return fannSteps(network, network.rowsOf(data), algorithm, options, seed)
  }
  if (!isFannAlgorithm(algorithm)) return layerSteps(network, data, algorithm, options, seed)
  const { desiredError, ...rest } = options
  const settings = layerSettings(algorithm, rest, network.specification.loss, seed)
  const fann = fannOfLayers(await engines.fann(), network)
  try {
    const training = new FannTraining(fann, network.prepared(data), settings)
    const next = (): Step | undefined => {
      const step = training.next()
      if (step === undefined) return undefined
      takeWeights(network, fann)
      // What the network now has by its own loss.
      const { loss, accuracy } = network.evaluate(data)
      return { epoch: step.epoch, loss, accuracy }
    }
    return { next: until(desiredError, next), free: () => fann.free() }
  } catch (thrown) {
    fann.free()
    throw thrown
  }
}

/** Begins a training of a network of FANN on rows as the engine takes them. */
export function fannSteps(
  model: FannModel,
  rows: FannRows,
  algorithm: Algorithm,
  options: StepOptions,
  seed: bigint,
): Steps {
  if (!isFannAlgorithm(algorithm)) throw unknown(algorithm)
  const { maxNeurons } = options
  const settings = fannSettings(algorithm, options, seed)
  const training = new FannTraining(model.fann, rows, settings, maxNeurons as number | undefined)
  const next = (): Step | undefined => {
    const step = training.next()
    return step && { ...step, accuracy: null }
  }
  return { next, free: () => undefined }
}

function layerSteps(
  network: Network,
  data: Dataset,
  algorithm: Algorithm,
  options: StepOptions,
  seed: bigint,
): Steps {
  const learningRate = (RATES as Readonly<Record<string, number>>)[algorithm]
  const optimiser = OPTIMISERS.find((name) => name === algorithm)
  if (learningRate === undefined || optimiser === undefined) throw unknown(algorithm)
  const foreign = Object.keys(given(options)).find((name) => !STEP_OPTIONS.includes(name))
  if (foreign !== undefined) {
    if (!FANN_OPTIONS.includes(foreign)) throw unknownOption(foreign, STEP_OPTIONS, algorithm)
    throw invalid(`"${foreign}" means nothing to ${algorithm}`, 'leave it out')
  }
  const { desiredError, ...rest } = options
  const own = { batch: batchFor(data.rows), learningRate, optimiser, seed }
  const settings: CoreOptions = { ...own, ...given(rest) }
  const next = (): Step => network.trainEpoch(data, settings)
  return { next: until(desiredError, next), free: () => undefined }
}

/** Steps until the loss is as small as desired. */
function until(desired: unknown, next: () => Step | undefined): () => Step | undefined {
  if (desired !== undefined && !(typeof desired === 'number' && desired >= 0)) {
    throw invalid('desiredError is a number, 0 or more', 'choose a number in the range')
  }
  let reached = false
  return () => {
    const step = reached ? undefined : next()
    reached = step !== undefined && desired !== undefined && step.loss <= desired
    return step
  }
}

/** Settings that make the loss of a network of layers small. */
function layerSettings(
  algorithm: Parameters<typeof fannSettings>[0],
  options: StepOptions,
  loss: Loss,
  seed: bigint,
): FannSettings {
  const foreign = ['stopFunction', 'bitFailLimit'].find((name) => options[name] !== undefined)
  if (foreign !== undefined) throw invalid(`${foreign} is for networks of FANN`, 'leave it out')
  const settings = { rpropRests: true, ...fannSettings(algorithm, options, seed) }
  if (loss === 'mse') return { ...settings, errorFunction: settings.errorFunction ?? 'linear' }
  if (!isOfProbabilities(loss)) {
    throw new SynapticError(
      'no-counterpart',
      `FANN has no counterpart of the loss ${loss}`,
      'use mse, or bce with sigmoid outputs',
    )
  }
  if (options.errorFunction === undefined) return { ...settings, errorFunction: 'cross-entropy' }
  throw invalid(`errorFunction is for the loss mse, not for ${loss}`, 'leave it out')
}

function unknown(algorithm: string): SynapticError {
  const known = [...OPTIMISERS, 'incremental, batch, rprop, quickprop, sarprop, cascade'].join(', ')
  const near = typeof algorithm === 'string' ? nearest(algorithm, ALGORITHMS) : undefined
  const hint = near === undefined ? `use ${known}` : `did you mean "${near}"?`
  return invalid(`there is no algorithm "${String(algorithm)}"`, hint)
}

function invalid(message: string, hint: string): SynapticError {
  return new SynapticError('option-invalid', message, hint)
}
