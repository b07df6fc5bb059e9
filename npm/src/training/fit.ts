/**
 * A training of its own: rows read, held out and scaled, epoch after epoch, and the best of them
 * kept.
 *
 * With rows held out for validation the best epoch is the one with the least loss on them, and a
 * training may end when it does not get better; without, it is the last one. A training that is
 * interrupted, or diverges after some epochs, still has a best epoch.
 */
import { type Problem, SynapticError, toSynapticError } from '../errors.js'
import { writeModel } from '../formats/formats.js'
import { given } from '../given.js'
import type { Dataset, Network, NeuralModule, TrainOptions } from '../wasm.js'
import { batchFor } from './optimisers.js'
import type { FitOptions, FitResult, Score, Source, TrainingProgress } from './protocol.js'
import { parseRows, scalingOf, scoreOf, taskOfModel, type Work } from './rows.js'
import { outputOf } from './specification.js'

/** The rows of a training, each part in a data set of its own. */
interface Parts {
  readonly train: Dataset
  readonly validation: Dataset | undefined
  readonly test: Dataset | undefined
}

/** How the epochs went. */
interface Course {
  readonly epochs: number
  readonly bestEpoch: number
  readonly ended: FitResult['ended']
  readonly problem: Problem | undefined
}

/** Trains a network, and says how well it does. */
export async function fit(
  neural: NeuralModule,
  network: Network,
  source: Source,
  options: FitOptions,
  work: Work,
): Promise<FitResult> {
  const held: Dataset[] = []
  const hold = (data: Dataset): Dataset => {
    held.push(data)
    return data
  }
  try {
    const raw = readParts(neural, network, source, options, work, hold)
    const parts = scaledParts(network, raw, options, hold)
    const course = await train(network, parts, options, work)
    const result = resultOf(network, parts, course)
    return { ...result, model: writeModel(neural, network, options.format) }
  } finally {
    for (const data of held) data.free()
  }
}

function readParts(
  neural: NeuralModule,
  network: Network,
  source: Source,
  options: FitOptions,
  work: Work,
  hold: (data: Dataset) => Dataset,
): Parts {
  const known = network.classes.length > 0 ? network.classes : options.parse.classes
  const task = options.parse.task ?? taskOfModel(network)
  const parse = given({ ...options.parse, task, classes: known })
  const split = (data: Dataset, share: number): [Dataset, Dataset | undefined] => {
    if (share === 0) return [data, undefined]
    const [rest, part] = data.split(share, options.seed)
    return [hold(rest), hold(part)]
  }
  const all = hold(parseRows(neural, source, parse, work))
  const classes = all.classes
  const [seen, apart] = split(all, options.test === undefined ? options.testSplit : 0)
  const test =
    options.test === undefined
      ? apart
      : hold(parseRows(neural, options.test, given({ ...parse, classes }), work))
  const [rows, validation] = split(seen, options.validationSplit)
  return { train: rows, validation, test }
}

/** The rows as the network takes them; a new one takes on the scaling of the rows to train on. */
function scaledParts(
  network: Network,
  raw: Parts,
  options: FitOptions,
  hold: (data: Dataset) => Dataset,
): Parts {
  const { specification } = network
  // A model that has learned goes on as it began: if that was with rows as they are, so be it.
  let { scaling } = network
  if (network.task === undefined) {
    // Words are numbers by name only.
    const words = specification.layers[0]?.type === 'embedding'
    scaling = scalingOf(raw.train, words ? { kind: 'none' } : options.scaling)
    const bounded = outputOf(specification).activation !== 'linear'
    if (raw.train.task === 'regression' && bounded) {
      // Outputs that cannot take every value would never reach targets of mean 0 and deviation 1.
      network.describe({ scaling, classes: [] })
    }
  }
  if (scaling === undefined) return raw
  const by = scaling
  const scaled = (data: Dataset | undefined) => data && hold(data.standardise(by))
  return {
    train: hold(raw.train.standardise(by)),
    validation: scaled(raw.validation),
    test: scaled(raw.test),
  }
}

/** Goes through the epochs, and leaves the network with the weights of the best one. */
async function train(
  network: Network,
  { train, validation }: Parts,
  options: FitOptions,
  work: Work,
): Promise<Course> {
  const settings = settingsOf(options, train.rows)
  let best: { epoch: number; loss: number; weights: Float32Array } | undefined
  let ended: Course['ended'] = 'epochs'
  let problem: Problem | undefined
  let epoch = 0
  while (epoch < options.epochs && ended === 'epochs') {
    const step = nextEpoch(network, train, settings)
    if ('problem' in step) {
      if (epoch === 0) throw step.thrown
      ended = 'diverged'
      problem = step.problem
      break
    }
    epoch += 1
    const score = validation && scoreOf(network, validation)
    if (score !== undefined && score.loss < (best?.loss ?? Number.POSITIVE_INFINITY)) {
      best = { epoch, loss: score.loss, weights: network.weights() }
    }
    const progress = { epoch, epochs: options.epochs, loss: step.loss }
    const goesOn = await told(
      work,
      score === undefined ? progress : { ...progress, validation: score },
    )
    if (!goesOn) ended = 'interrupted'
    else if (best !== undefined && epoch - best.epoch >= (options.patience ?? options.epochs)) {
      ended = 'patience'
    }
  }
  if (best !== undefined && best.epoch < epoch) network.setWeights(best.weights)
  return { epochs: epoch, bestEpoch: best?.epoch ?? epoch, ended, problem }
}

type Step = { readonly loss: number } | { readonly problem: Problem; readonly thrown: unknown }

/** One epoch; a divergence is an answer, because the network still has the weights before it. */
function nextEpoch(network: Network, rows: Dataset, settings: TrainOptions): Step {
  try {
    return { loss: network.trainEpoch(rows, settings).loss }
  } catch (thrown) {
    const error = toSynapticError(thrown)
    if (error.code !== 'training-diverged') throw thrown
    return { problem: error.toProblem(), thrown }
  }
}

/** Reports progress; whether the training goes on. */
async function told(work: Work, progress: TrainingProgress): Promise<boolean> {
  try {
    await work.report(progress)
    return true
  } catch (thrown) {
    if (thrown instanceof SynapticError && thrown.code === 'cancelled') return false
    throw thrown
  }
}

function settingsOf(options: FitOptions, rows: number): TrainOptions {
  const { learningRate, momentum, optimiser, weightDecay, clipNorm, seed } = options
  const { warmUpSteps, decayEpochs, decayFactor, classWeights } = options
  return given({
    ...{ learningRate, momentum, optimiser, weightDecay, clipNorm, seed },
    ...{ warmUpSteps, decayEpochs, decayFactor, classWeights },
    batch: options.batch ?? batchFor(rows),
  })
}

function resultOf(
  network: Network,
  { train, validation, test }: Parts,
  course: Course,
): Omit<FitResult, 'model'> {
  const score = (data: Dataset | undefined): Score | undefined => data && scoreOf(network, data)
  const [onTrain, onValidation, onTest] = [scoreOf(network, train), score(validation), score(test)]
  const { specification } = network
  return {
    trainAccuracy: onTrain.accuracy,
    validationAccuracy: onValidation?.accuracy ?? null,
    testAccuracy: onTest?.accuracy ?? null,
    loss: onTrain.loss,
    validationLoss: onValidation?.loss ?? null,
    testLoss: onTest?.loss ?? null,
    lossName: specification.loss,
    ...course,
    weightsCid: network.weightsCid(),
    rows: { train: train.rows, validation: validation?.rows ?? 0, test: test?.rows ?? 0 },
    task: train.task,
    classes: [...train.classes],
  }
}
