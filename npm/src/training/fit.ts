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
import type { Column, Dataset, Network, NeuralModule, TrainOptions } from '../wasm.js'
import { batchFor } from './optimisers.js'
import type {
  FitOptions,
  FitResult,
  ScalingChoice,
  Score,
  Source,
  TrainingProgress,
} from './protocol.js'
import { parseFor, parseRows, scalesTargets, scalingOf, scoreOf, type Work } from './rows.js'
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
    refuseWhatIsKnown(network, options)
    const read = readerOf(neural, network, source, options, work, hold)
    const parts = preparedParts(network, read, options, hold)
    const course = await train(network, parts, options, work)
    const result = resultOf(network, parts, course)
    return { ...result, model: writeModel(neural, network, options.format) }
  } finally {
    for (const data of held) data.free()
  }
}

/** Options that the first training has decided, and that would do nothing now. */
function refuseWhatIsKnown(network: Network, { parse, scaling }: FitOptions): void {
  if (network.task === undefined) return
  const refuse = (option: string, what: string): never => {
    throw new SynapticError(
      'model-trained',
      `${option}: the model keeps the ${what} of its first training`,
      'leave the option out, or train a new model',
    )
  }
  const { task, classes, categories, gaps } = parse
  if (task !== undefined && task !== network.task) refuse('--task', 'task')
  if (classes !== undefined && String(classes) !== String(network.classes)) {
    refuse('--classes', 'classes')
  }
  if (categories !== undefined) refuse('--categories', 'columns')
  if (gaps === true && network.columns.every(({ fill }) => fill === undefined)) {
    refuse('--missing', 'columns')
  }
  if (scaling?.kind === 'range') {
    const { min, max } = scaling
    const { offset = [], scale = [] } = network.scaling ?? {}
    const same = (numbers: ArrayLike<number>, one: number): boolean =>
      Array.from(numbers).includes(Math.fround(one))
    if (!same(offset, min) || !same(scale, 1 / (max - min))) refuse('--range', 'scaling')
  }
}

type Read = (columns: readonly Column[] | undefined) => Parts

/** What reads the rows and divides them: the same rows each time, with these columns if any. */
function readerOf(
  neural: NeuralModule,
  network: Network,
  source: Source,
  options: FitOptions,
  work: Work,
  hold: (data: Dataset) => Dataset,
): Read {
  const split = (data: Dataset, share: number): [Dataset, Dataset | undefined] => {
    if (share === 0) return [data, undefined]
    const [rest, part] = data.split(share, options.seed)
    return [hold(rest), hold(part)]
  }
  return (columns) => {
    const parse = { ...parseFor(network, options.parse), ...given({ columns }) }
    const all = hold(parseRows(neural, source, parse, work))
    const [seen, apart] = split(all, options.test === undefined ? options.testSplit : 0)
    const [train, validation] = split(seen, options.validationSplit)
    if (options.test === undefined) return { train, validation, test: apart }
    // Rows for the test have the classes and categories of the others, even where none occurs.
    const names = all.classes.length > 0 ? { classes: all.classes } : {}
    const known = all.columns.length > 0 ? { columns: all.columns } : {}
    const test = hold(parseRows(neural, options.test, { ...parse, ...names, ...known }, work))
    return { train, validation, test }
  }
}

/**
 * The rows as the network takes them. A new one takes on columns and scaling of the rows to train
 * on; one that has learned goes on as it began.
 */
function preparedParts(
  network: Network,
  read: Read,
  options: FitOptions,
  hold: (data: Dataset) => Dataset,
): Parts {
  let raw = read(undefined)
  if (network.task === undefined) {
    // Gaps are filled by the rows to train on alone, which only now are known.
    if (options.parse.gaps === true) raw = read(raw.train.fitColumns())
    const scaling = scalingOf(raw.train, options.scaling ?? usualScaling(network, raw.train))
    hold(network.prepare(hold(raw.train.standardise(scaling))))
  }
  const prepared = (data: Dataset | undefined) => data && hold(network.prepare(data))
  return {
    train: hold(network.prepare(raw.train)),
    validation: prepared(raw.validation),
    test: prepared(raw.test),
  }
}

/** How inputs are scaled unless the user says so. */
function usualScaling({ specification }: Network, { task }: Dataset): ScalingChoice {
  // Words are numbers by name only.
  if (specification.layers[0]?.type === 'embedding') return { kind: 'none' }
  // What such outputs give back must be within their bounds.
  const bounded = outputOf(specification).activation !== 'linear'
  return { kind: task === 'reconstruction' && bounded ? 'unit' : 'standard' }
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
    const { loss, accuracy } = step
    const progress = { epoch, epochs: options.epochs, loss, accuracy }
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

type Step = Score | { readonly problem: Problem; readonly thrown: unknown }

/** One epoch; a divergence is an answer, because the network still has the weights before it. */
function nextEpoch(network: Network, rows: Dataset, settings: TrainOptions): Step {
  try {
    return network.trainEpoch(rows, settings)
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
  const { warmUpSteps, decayEpochs, decayFactor, cosineEpochs, cosineLeast } = options
  return given({
    ...{ learningRate, momentum, optimiser, weightDecay, clipNorm, seed },
    ...{ warmUpSteps, decayEpochs, decayFactor, cosineEpochs, cosineLeast },
    classWeights: options.classWeights,
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
    targetsScaled: scalesTargets(network),
    ...course,
    weightsCid: network.weightsCid(),
    rows: { train: train.rows, validation: validation?.rows ?? 0, test: test?.rows ?? 0 },
    task: train.task,
    classes: [...train.classes],
  }
}
