/**
 * A training of its own: rows read, held out and scaled, epoch after epoch, and the best of them
 * kept.
 *
 * With rows held out for validation the best epoch is the one with the least loss on them, and a
 * training may end when it does not get better; without, it is the last one. A training that is
 * interrupted, or diverges after some epochs, still has a best epoch.
 */
import { type Problem, SynapticError, toSynapticError } from '../errors.js'
import { given } from '../given.js'
import { FannModel } from '../neural/fann/model.js'
import { type AnyNetwork, endsOf } from '../neural/open.js'
import {
  type Step,
  type StepOptions,
  type Steps,
  stepsOf,
  suited,
  usualFor,
} from '../neural/steps.js'
import type { Dataset, NeuralModule } from '../wasm.js'
import type { FitOptions, FitResult, Score, Source, TrainingProgress } from './protocol.js'
import { parseRows, scalingOf, scoreOf, taskOfModel, type Work } from './rows.js'

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
  readonly neurons: number | null
}

/** Trains a network, which is freed, and says how well it does. */
export async function fit(
  opened: AnyNetwork,
  source: Source,
  options: FitOptions,
  work: Work,
): Promise<FitResult> {
  const held: { free(): void }[] = [opened]
  const hold = <T extends { free(): void }>(object: T): T => {
    if (!held.includes(object)) held.push(object)
    return object
  }
  try {
    const neural = await work.neural()
    const algorithm = options.algorithm ?? usualFor(opened)
    const network = hold(await suited(work, opened, algorithm))
    const raw = readParts(neural, network, source, options, work, hold)
    const parts = scaledParts(network, raw, options, hold)
    const { seed } = options
    const settings = settingsOf(options)
    const steps = hold(await stepsOf(work, network, parts.train, algorithm, settings, seed))
    const course = await train(network, parts, steps, options, work)
    return { ...resultOf(network, parts, course), algorithm }
  } finally {
    for (const object of held) object.free()
  }
}

function readParts(
  neural: NeuralModule,
  network: AnyNetwork,
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
  network: AnyNetwork,
  raw: Parts,
  options: FitOptions,
  hold: (data: Dataset) => Dataset,
): Parts {
  // A model that has learned goes on as it began: if that was with rows as they are, so be it.
  let { scaling } = network
  if (network instanceof FannModel) {
    if (network.task !== undefined) return raw
    network.describeBy(raw.train, scaling ?? scalingOf(raw.train, options.scaling))
    return raw
  }
  if (network.task === undefined) {
    // Words are numbers by name only.
    const words = network.specification.layers[0]?.type === 'embedding'
    scaling = scalingOf(raw.train, words ? { kind: 'none' } : options.scaling)
    if (raw.train.task === 'regression' && !endsOf(network).unbounded) {
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
  network: AnyNetwork,
  { validation }: Parts,
  steps: Steps,
  options: FitOptions,
  work: Work,
): Promise<Course> {
  let best: { epoch: number; loss: number; weights: Float32Array } | undefined
  let ended: Course['ended'] = 'epochs'
  let problem: Problem | undefined
  let neurons: number | null = null
  let epoch = 0
  const { epochs = Number.POSITIVE_INFINITY } = options
  while (epoch < epochs && ended === 'epochs') {
    const step = nextStep(steps)
    if (step === undefined) {
      ended = 'done'
      break
    }
    if ('problem' in step) {
      if (epoch === 0) throw step.thrown
      ended = 'diverged'
      problem = step.problem
      break
    }
    epoch = step.epoch
    neurons = step.neurons ?? neurons
    const score = validation && scoreOf(network, validation)
    if (score !== undefined && score.loss < (best?.loss ?? Number.POSITIVE_INFINITY)) {
      best = { epoch, loss: score.loss, weights: network.weights() }
    }
    const progress = { ...step, epochs: options.epochs ?? epoch }
    const goesOn = await told(
      work,
      score === undefined ? progress : { ...progress, validation: score },
    )
    if (!goesOn) ended = 'interrupted'
    else if (best !== undefined && epoch - best.epoch >= (options.patience ?? epochs)) {
      ended = 'patience'
    }
  }
  if (best !== undefined && best.epoch < epoch) network.setWeights(best.weights)
  return { epochs: epoch, bestEpoch: best?.epoch ?? epoch, ended, problem, neurons }
}

type Failed = { readonly problem: Problem; readonly thrown: unknown }

/** One step; a divergence is an answer, because the network still has the weights before it. */
function nextStep(steps: Steps): Step | Failed | undefined {
  try {
    return steps.next()
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

function settingsOf(options: FitOptions): StepOptions {
  const { batch, learningRate, momentum, weightDecay, clipNorm } = options
  const { warmUpSteps, decayEpochs, decayFactor, classWeights } = options
  return given({
    ...{ batch, learningRate, momentum, weightDecay, clipNorm },
    ...{ warmUpSteps, decayEpochs, decayFactor, classWeights },
    ...options.fann,
  })
}

function resultOf(
  network: AnyNetwork,
  { train, validation, test }: Parts,
  course: Course,
): Omit<FitResult, 'algorithm'> {
  const score = (data: Dataset | undefined): Score | undefined => data && scoreOf(network, data)
  const [onTrain, onValidation, onTest] = [scoreOf(network, train), score(validation), score(test)]
  return {
    trainAccuracy: onTrain.accuracy,
    validationAccuracy: onValidation?.accuracy ?? null,
    testAccuracy: onTest?.accuracy ?? null,
    loss: onTrain.loss,
    validationLoss: onValidation?.loss ?? null,
    testLoss: onTest?.loss ?? null,
    lossName: endsOf(network).loss,
    ...course,
    weightsCid: network.weightsCid(),
    rows: { train: train.rows, validation: validation?.rows ?? 0, test: test?.rows ?? 0 },
    task: train.task,
    classes: [...train.classes],
    model: network.toModel(),
  }
}
