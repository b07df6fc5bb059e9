/**
 * A training of its own: rows read, held out and scaled, epoch after epoch, and the best of them
 * kept.
 *
 * With rows held out for validation the best epoch is the one with the least loss on them, and a
 * training may end when it does not get better; without, it is the last one. A training that is
 * interrupted, or diverges after some epochs, still has a best epoch.
 */
import { type Problem, SynapticError, toSynapticError, usageError } from '../errors.js'
import { writeModel } from '../formats/formats.js'
import { given } from '../given.js'
import { type AnyNetwork, endsOf } from '../neural/engines.js'
import { FannModel } from '../neural/fann/model.js'
import { isFannAlgorithm } from '../neural/fann/options.js'
import {
  type Step,
  type StepOptions,
  type Steps,
  stepsOf,
  suited,
  usualFor,
} from '../neural/steps.js'
import type { Column, Dataset, NeuralModule } from '../wasm.js'
import type { Algorithm } from './optimisers.js'
import type {
  FitOptions,
  FitResult,
  ScalingChoice,
  Score,
  Source,
  TrainingProgress,
} from './protocol.js'
import { parseFor, parseRows, scalesTargets, scalingOf, scoreOf, type Work } from './rows.js'

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
    refuseWhatIsKnown(opened, options)
    const neural = await work.neural()
    const algorithm = options.algorithm ?? usualFor(opened)
    refuseForeignSettings(options, algorithm)
    const network = hold(await suited(work, opened, algorithm))
    checkForm(network, options)
    const read = readerOf(neural, network, source, options, work, hold)
    const parts = advisingAutoencoder(network, options, () =>
      preparedParts(network, read, options, hold),
    )
    const { seed } = options
    const settings = settingsOf(options)
    const steps = hold(await stepsOf(work, network, parts.train, algorithm, settings, seed))
    const course = await train(network, parts, steps, options, work)
    const result = resultOf(network, parts, course)
    return { ...result, algorithm, model: writeModel(neural, network, options.format) }
  } finally {
    for (const object of held) object.free()
  }
}

/** A file that does not hold the network would be noticed when everything is trained. */
function checkForm(network: AnyNetwork, { format }: FitOptions): void {
  if (!(network instanceof FannModel) || format === 'json') return
  throw usageError(
    `a network of FANN cannot be trained into a .${format} file`,
    'add --output model.json; neural convert makes other files of it',
  )
}

/** Refuses `--set` where nothing is FANN's: names that both have would go around their options. */
function refuseForeignSettings({ fann }: FitOptions, algorithm: Algorithm): void {
  const { maxNeurons: _, desiredError: __, ...set } = fann
  const [name] = Object.keys(set)
  if (name === undefined || isFannAlgorithm(algorithm)) return
  const message = `--set ${name} is for the algorithms of FANN, not for ${algorithm}`
  throw usageError(message, 'leave it out, or choose an --algorithm such as rprop')
}

/** What cannot be told from each other by rows: a network as wide at its end as at its beginning. */
function advisingAutoencoder(network: AnyNetwork, { parse }: FitOptions, work: () => Parts): Parts {
  try {
    return work()
  } catch (thrown) {
    const { code, message, hint } = toSynapticError(thrown)
    const { inputs, outputs } = endsOf(network)
    const isNew = network.task === undefined && parse.task === undefined
    const misfits = ['inputs-do-not-fit', 'classes-do-not-fit', 'targets-do-not-fit', UNFIT]
    if (!isNew || inputs !== outputs || !misfits.includes(code)) throw thrown
    const advice = `an autoencoder needs --task reconstruction; if it is none: ${hint}`
    throw new SynapticError(code, message, advice)
  }
}

/** As a network of FANN has it. */
const UNFIT = 'data-does-not-fit'

/** Options that the first training has decided, and that would do nothing now. */
function refuseWhatIsKnown(network: AnyNetwork, { parse, scaling }: FitOptions): void {
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
  network: AnyNetwork,
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
  network: AnyNetwork,
  read: Read,
  options: FitOptions,
  hold: (data: Dataset) => Dataset,
): Parts {
  let raw = read(undefined)
  if (network.task === undefined) {
    // Gaps are filled by the rows to train on alone, which only now are known.
    if (options.parse.gaps === true) raw = read(raw.train.fitColumns())
    const scaling = scalingOf(raw.train, options.scaling ?? usualScaling(network, raw.train))
    // A file of FANN may have brought a scaling, and nothing else.
    if (network instanceof FannModel) network.describeBy(raw.train, network.scaling ?? scaling)
    else hold(network.prepare(hold(raw.train.standardise(scaling))))
  }
  if (network instanceof FannModel) return raw
  const prepared = (data: Dataset | undefined) => data && hold(network.prepare(data))
  return {
    train: hold(network.prepare(raw.train)),
    validation: prepared(raw.validation),
    test: prepared(raw.test),
  }
}

/** How inputs are scaled unless the user says so. */
function usualScaling(network: AnyNetwork, { task }: Dataset): ScalingChoice {
  const first = network instanceof FannModel ? undefined : network.specification.layers[0]
  // Words are numbers by name only.
  if (first?.type === 'embedding') return { kind: 'none' }
  // What such outputs give back must be within their bounds.
  const bounded = !endsOf(network).unbounded
  return { kind: task === 'reconstruction' && bounded ? 'unit' : 'standard' }
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
  const { batch, learningRate, momentum, weightDecay, clipNorm, classWeights } = options
  const { warmUpSteps, decayEpochs, decayFactor, cosineEpochs, cosineLeast } = options
  return given({
    ...{ batch, learningRate, momentum, weightDecay, clipNorm, classWeights },
    ...{ warmUpSteps, decayEpochs, decayFactor, cosineEpochs, cosineLeast },
    ...options.fann,
  })
}

function resultOf(
  network: AnyNetwork,
  { train, validation, test }: Parts,
  course: Course,
): Omit<FitResult, 'model' | 'algorithm'> {
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
    targetsScaled: scalesTargets(network),
    ...course,
    weightsCid: network.weightsCid(),
    rows: { train: train.rows, validation: validation?.rows ?? 0, test: test?.rows ?? 0 },
    task: train.task,
    classes: [...train.classes],
    ignored: train.ignored,
  }
}
