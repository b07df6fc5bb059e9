/** `neural train`: trains a model file on rows, in a thread of its own. */
import type { Context } from '../context.js'
import { exitCodeOf, SynapticError, toSynapticError, usageError } from '../errors.js'
import { ARTEFACT_BYTES_MAX, checkAbsent, readBounded, writeAtomic } from '../files.js'
import { formatOf } from '../formats/formats.js'
import { given } from '../given.js'
import { type FannTrainOptions, fannOptionOf } from '../neural/fann/options.js'
import { columns, durationText, type Output, percent } from '../output.js'
import { Progress } from '../progress.js'
import { scalingOf } from '../run-options.js'
import { type Algorithm, hasMomentum } from '../training/optimisers.js'
import { TrainingPool } from '../training/pool.js'
import type { Argument, FitResult, Score, TrainingProgress } from '../training/protocol.js'
import type { ParseOptions, Task } from '../wasm.js'
import { columnsOf, noteIgnored } from './column.js'

/** Options of `neural train`. */
export interface TrainOptions {
  readonly model: string
  readonly data: string
  readonly output?: string
  readonly label?: string
  readonly task?: Task
  readonly classes?: readonly string[]
  readonly categories?: string
  readonly missing?: 'error' | 'mean'
  readonly header?: boolean
  readonly testSplit?: number
  readonly test?: string
  readonly validationSplit?: number
  readonly patience?: number
  readonly range?: readonly [number, number]
  readonly epochs?: number
  readonly batch?: number
  readonly lr?: number
  readonly momentum?: number
  readonly algorithm?: Algorithm
  /** An older name of `algorithm`. */
  readonly optimizer?: Algorithm
  readonly maxNeurons?: number
  readonly desiredError?: number
  /** Further options of FANN's algorithms, each `name=value`. */
  readonly set?: readonly string[]
  readonly weightDecay?: number
  readonly clipNorm?: number
  readonly warmUp?: number
  readonly decayEpochs?: number
  readonly decayFactor?: number
  /** The share of the learning rate that is left after all epochs; `true` for none. */
  readonly cosine?: number | true
  readonly classWeights?: readonly number[] | 'balanced'
  readonly seed?: bigint
  /** Replace another file than the model that is there. */
  readonly force?: boolean
  /** With `--json`: every epoch as an event. */
  readonly progress?: boolean
}

type CosineOptions = Pick<Argument<'fit'>, 'cosineEpochs' | 'cosineLeast'>

const EPOCHS_DEFAULT = 20
const NEURONS_DEFAULT = 30

/** It ends in order when it is interrupted. */
export const endsItself = true

/** Trains and writes the model. */
export async function run(context: Context, options: TrainOptions): Promise<number> {
  const { output, signal } = context
  checkOptions(options, output)
  const model = readBounded(options.model, ARTEFACT_BYTES_MAX)
  const target = options.output ?? options.model
  if (formatOf(target) === 'net') {
    const hint = 'add --output model.json; neural convert makes a FANN file of it'
    throw usageError('neural train writes model files', hint)
  }
  if (target !== options.model && options.force !== true) checkAbsent(target)
  const cascade = (options.algorithm ?? options.optimizer) === 'cascade'
  const { epochs = EPOCHS_DEFAULT, maxNeurons = NEURONS_DEFAULT } = options
  const total = cascade ? maxNeurons : epochs
  const progress = new Progress(output.stderr, 'training', total, output.talkative)
  const pool = new TrainingPool(1)
  try {
    const result = await pool.request('model', 'fit', requestOf(model, options), {
      signal,
      onProgress: showing(progress, output, options),
    })
    writeAtomic(target, result.model)
    progress.end()
    return tell(context, result, target)
  } catch (thrown) {
    signal.throwIfAborted()
    throw thrown
  } finally {
    progress.end()
    await pool.close()
  }
}

/** Options that mean nothing without others are mistakes. */
function checkOptions(options: TrainOptions, output: Output): void {
  const { algorithm, optimizer, momentum, decayFactor, decayEpochs, patience } = options
  const { validationSplit } = options
  if (algorithm !== undefined && optimizer !== undefined && algorithm !== optimizer) {
    throw usageError('--optimizer is the older name of --algorithm', 'give only --algorithm')
  }
  const chosen = algorithm ?? optimizer ?? 'adam'
  if (momentum !== undefined && !hasMomentum(chosen)) {
    const message = `--momentum is for sgd, nesterov and incremental, not for ${chosen}`
    throw usageError(message, 'leave it out')
  }
  if (chosen === 'cascade') checkCascade(options)
  if (decayFactor !== undefined && decayEpochs === undefined) {
    throw usageError('--decay-factor says nothing without --decay-epochs', 'add --decay-epochs 10')
  }
  if (options.cosine !== undefined && decayEpochs !== undefined) {
    throw usageError('--cosine and --decay-epochs are two ways to fall', 'choose one of them')
  }
  if (patience !== undefined && !validationSplit) {
    throw usageError('--patience looks at rows that are held out', 'add --validation-split 0.1')
  }
  if (options.test !== undefined && options.testSplit !== undefined) {
    throw usageError('--test and --test-split are two ways to the same rows', 'give one of them')
  }
  if (options.progress === true && !output.json) {
    throw usageError('--progress is for programs', 'add --json, or leave it out')
  }
}

/** What other trainings have, and a cascade does not. */
function checkCascade({ epochs, validationSplit }: TrainOptions): void {
  if (epochs !== undefined) {
    throw usageError('a cascade ends by itself, not after --epochs', 'use --max-neurons')
  }
  if (validationSplit) {
    throw usageError('a cascade grows: there is no best epoch to go back to', 'use --test-split')
  }
}

/** `name=value` as options of FANN's algorithms, which are checked where they are used. */
function fannOptions({ set = [], maxNeurons, desiredError }: TrainOptions): FannTrainOptions {
  const further = set.map((text) => {
    const [name = '', ...value] = text.split('=')
    if (value.length === 1) return [name, fannOptionOf(name, value[0] ?? '')]
    throw usageError(`${text} is not name=value`, 'such as --set rpropDeltaMax=10')
  })
  return given({ ...Object.fromEntries(further), maxNeurons, desiredError })
}

function requestOf(model: Uint8Array, options: TrainOptions): Argument<'fit'> {
  const { batch, momentum, seed = 1n, patience } = options
  const algorithm = options.algorithm ?? options.optimizer
  const epochs = algorithm === 'cascade' ? undefined : (options.epochs ?? EPOCHS_DEFAULT)
  const { weightDecay, clipNorm, warmUp, decayEpochs, decayFactor, classWeights } = options
  return {
    model,
    modelFile: options.model,
    format: formatOf(options.output ?? options.model),
    source: { file: options.data },
    test: options.test === undefined ? undefined : { file: options.test },
    testSplit: options.testSplit ?? 0,
    validationSplit: options.validationSplit ?? 0,
    patience,
    parse: parseOf(options),
    scaling: options.range && scalingOf(options.range),
    epochs,
    batch,
    learningRate: options.lr,
    momentum,
    algorithm,
    fann: fannOptions(options),
    weightDecay,
    clipNorm,
    warmUpSteps: warmUp,
    decayEpochs,
    decayFactor,
    ...cosineOf(options),
    classWeights,
    seed,
  }
}

function cosineOf({ cosine, epochs = EPOCHS_DEFAULT }: TrainOptions): CosineOptions {
  if (cosine === undefined) return { cosineEpochs: undefined, cosineLeast: undefined }
  return { cosineEpochs: epochs, cosineLeast: cosine === true ? 0 : cosine }
}

function parseOf(options: TrainOptions): ParseOptions {
  const { label, categories, task, classes, header, missing } = options
  return given({
    label: label === undefined ? undefined : columnsOf(label),
    categories: categories === undefined ? undefined : columnsOf(categories),
    gaps: missing === 'mean' ? true : undefined,
    ...{ task, classes, header },
  })
}

/** Progress for people on stderr, and as events for programs that ask for them. */
function showing(
  progress: Progress,
  output: Output,
  options: TrainOptions,
): (done: TrainingProgress) => void {
  const startedMs = performance.now()
  return (done) => {
    const { epoch, epochs, loss, accuracy, validation, neurons } = done
    const told = accuracy === null ? '' : `, accuracy ${percent(accuracy)}`
    const seconds = ((performance.now() - startedMs) / 1_000 / epoch) * (epochs - epoch)
    const held = validation === undefined ? '' : `, validation ${scoreText(validation)}`
    const left = epoch < epochs ? `, ${durationText(seconds)} left` : ''
    progress.update(neurons ?? epoch, `loss ${loss.toFixed(4)}${told}${held}${left}`)
    if (options.progress === true) output.event('epoch', { ...done, secondsLeft: seconds })
  }
}

function scoreText({ loss, accuracy }: Score): string {
  return accuracy === null ? loss.toFixed(4) : percent(accuracy)
}

/** The result, or what there is of it, and the exit code. */
function tell({ output, signal }: Context, result: FitResult, target: string): number {
  const { model: _, problem, ...data } = result
  noteIgnored(output, result.ignored)
  const error = signal.aborted
    ? toSynapticError(signal.reason)
    : problem && new SynapticError(problem.code, problem.message, problem.hint)
  if (error === undefined) {
    output.result({ ...data, output: target }, () => resultText(result, target))
    return 0
  }
  output.note(resultText(result, target))
  output.fail(error, { ...data, output: target })
  return exitCodeOf(error.code)
}

function resultText(result: FitResult, target: string): string {
  const { epochs, bestEpoch, ended, weightsCid, rows, task, lossName, targetsScaled } = result
  const { neurons } = result
  const numbers = task !== 'classification'
  // Numbers have no accuracy, and their squares are in units of the variance of the targets.
  const unit = targetsScaled && lossName === 'mse' ? 'loss / variance' : 'loss'
  const table = [numbers ? ['', 'rows', unit] : ['', 'rows', 'accuracy', unit]]
  const add = (name: string, count: number, loss: number | null, accuracy: number | null): void => {
    if (loss === null) return
    const scores = numbers ? [] : [accuracy === null ? '' : percent(accuracy)]
    table.push([name, String(count), ...scores, loss.toFixed(4)])
  }
  add('train', rows.train, result.loss, result.trainAccuracy)
  add('validation', rows.validation, result.validationLoss, result.validationAccuracy)
  add('test', rows.test, result.testLoss, result.testAccuracy)
  const best = bestEpoch < epochs ? `, with the weights of epoch ${bestEpoch}` : ''
  const grown = neurons === null ? '' : ` and ${neurons} new neurons`
  const why = ended === 'patience' ? ': no better for a while' : ''
  const wrote = `wrote ${target} after ${epochs} epochs${grown}${best}${why}`
  return [columns(table), wrote, `weights ${weightsCid}`].join('\n')
}
