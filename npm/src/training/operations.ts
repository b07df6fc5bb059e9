/**
 * The work of a training worker: every operation of the protocol, on the `neural` artifact.
 *
 * Objects of the core live in its memory and are given back in `finally`, whatever happens.
 */
import { SynapticError } from '../errors.js'
import { given } from '../given.js'
import type {
  Dataset,
  Network,
  NeuralModule,
  ParseOptions,
  Scaling,
  TrainOptions,
} from '../wasm.js'
import type {
  Answer,
  Argument,
  FitOptions,
  FitResult,
  Operation,
  RowsInfo,
  ScalingChoice,
  Score,
  Source,
  TrainingProgress,
} from './protocol.js'
import { countOf } from './shapes.js'

/** What the worker that does the work gives it. */
export interface Work {
  /** The artifact, loaded once. */
  neural(): Promise<NeuralModule>
  /** The content of a file of rows, bounded; throws where there are no files. */
  read(file: string): Uint8Array
  /** Tells how far the work is, and lets a cancellation through. */
  report(progress: TrainingProgress): Promise<void>
}

type Handlers = {
  readonly [O in Operation]: (argument: Argument<O>, work: Work) => Promise<Answer<O>>
}

/** Data sets that are held, by id. */
const held = new Map<string, Dataset>()

/** Every operation by its name. */
export const OPERATIONS: Handlers = {
  async inspect({ source, parse, scaling }, work) {
    const neural = await work.neural()
    return using(parseRows(neural, source, parse, work), (data) =>
      describe(data, scalingOf(data, scaling)),
    )
  },

  async load({ id, source, parse, scaling }, work) {
    const neural = await work.neural()
    return using(parseRows(neural, source, parse, work), (raw) => {
      held.get(id)?.free()
      held.delete(id)
      const data = raw.standardise(scaling)
      held.set(id, data)
      return describe(data, scaling)
    })
  },

  async unload({ id }) {
    held.get(id)?.free()
    held.delete(id)
    return null
  },

  async update({ id, specification, baseWeights, ...options }, work) {
    const neural = await work.neural()
    const { delta, samples, loss, accuracy } = neural.trainUpdate(
      specification,
      baseWeights,
      rowsOf(id),
      options,
    )
    return { delta, samples, loss, accuracy }
  },

  async evaluate({ id, specification, weights }, work) {
    const neural = await work.neural()
    return using(neural.Network.create(specification, 0n), (network) => {
      network.setWeights(floats(weights))
      return scoreOf(network, rowsOf(id))
    })
  },

  async alone({ id, testId, specification, seed, epochs, ...options }, work) {
    const neural = await work.neural()
    return using(neural.Network.create(specification, seed), async (network) => {
      const train = { ...options, optimiser: 'sgd' as const, seed }
      await epochByEpoch(network, rowsOf(id), epochs, train, work)
      return scoreOf(network, rowsOf(testId ?? id))
    })
  },

  async create({ specification, seed }, work) {
    const neural = await work.neural()
    return using(neural.Network.create(specification, seed), (network) => ({
      model: network.toModel(),
      parameters: network.parameterCount,
      weightsCid: network.weightsCid(),
    }))
  },

  async fit({ model, modelFile, source, ...options }, work) {
    const neural = await work.neural()
    return using(openModel(neural, model, modelFile), (network) =>
      fit(neural, network, source, options, work),
    )
  },

  async predict({ model, modelFile, source, header, label }, work) {
    const neural = await work.neural()
    const csv = bytesOf(source, work)
    return using(openModel(neural, model, modelFile), (network) =>
      answers(
        network,
        naming(source, () => inputsOf(neural, network, csv, { header, label })),
      ),
    )
  },
}

/** The network of a model file; an error about its content names it. */
function openModel(neural: NeuralModule, model: Uint8Array, file: string): Network {
  return naming({ file }, () => neural.Network.fromModel(model))
}

/** The inputs of rows, with the label column left out where there is one. */
function inputsOf(
  neural: NeuralModule,
  { specification }: Network,
  csv: Uint8Array,
  { header, label }: { header: boolean | undefined; label: string | number | undefined },
): Float32Array {
  const inputs = countOf(specification.inputs)
  const read = (column: string | number | undefined): Float32Array =>
    neural.Dataset.parseRows(csv, inputs, given({ header, label: column }))
  try {
    return read(label)
  } catch (thrown) {
    if (label !== undefined) throw thrown
    try {
      // One column too many is most likely the label, where training looks for it too. As text it
      // fails as a number before the columns are counted, so the cause does not tell.
      return read(inputs)
    } catch {
      throw thrown
    }
  }
}

/** Runs `work` and frees the object afterwards. */
async function using<T extends { free(): void }, R>(
  object: T,
  work: (object: T) => R | Promise<R>,
): Promise<R> {
  try {
    return await work(object)
  } finally {
    object.free()
  }
}

function bytesOf(source: Source, work: Work): Uint8Array {
  return 'bytes' in source ? source.bytes : work.read(source.file)
}

function parseRows(neural: NeuralModule, source: Source, parse: ParseOptions, work: Work): Dataset {
  const bytes = bytesOf(source, work)
  return naming(source, () => neural.Dataset.parse(bytes, given(parse)))
}

/** Does what reads a source; an error about its content names the file. */
function naming<T>(source: Source, read: () => T): T {
  try {
    return read()
  } catch (thrown) {
    throw 'file' in source ? inFile(thrown, source.file) : thrown
  }
}

/** Names the file in an error about its content. */
function inFile(thrown: unknown, file: string): unknown {
  if (typeof thrown !== 'object' || thrown === null) return thrown
  const { code, message, hint } = thrown as Record<string, unknown>
  if (typeof code !== 'string' || typeof message !== 'string') return thrown
  return new SynapticError(code, `${file}: ${message}`, typeof hint === 'string' ? hint : '')
}

function rowsOf(id: string): Dataset {
  const data = held.get(id)
  if (data === undefined) {
    throw new SynapticError('no-rows', `no rows are loaded as "${id}"`, 'join the run again')
  }
  return data
}

function describe(data: Dataset, scaling: Scaling): RowsInfo {
  return {
    rows: data.rows,
    features: data.features,
    classes: [...data.classes],
    task: data.task,
    scaling: { offset: Array.from(scaling.offset), scale: Array.from(scaling.scale) },
  }
}

/** The scaling that the user's choice means for these rows. */
function scalingOf(data: Dataset, choice: ScalingChoice): Scaling {
  if (choice.kind !== 'range') return data.scaling(choice.kind)
  const { min, max } = choice
  return {
    offset: new Array<number>(data.features).fill(min),
    scale: new Array<number>(data.features).fill(1 / (max - min)),
  }
}

function floats(bytes: Uint8Array): Float32Array {
  return new Float32Array(Uint8Array.from(bytes).buffer)
}

function scoreOf(network: Network, data: Dataset): Score {
  const { loss, accuracy } = network.evaluate(data)
  return { loss, accuracy }
}

/** Trains epoch by epoch, so that progress can be told and a cancellation heard. */
async function epochByEpoch(
  network: Network,
  data: Dataset,
  epochs: number,
  options: TrainOptions,
  work: Work,
): Promise<void> {
  for (let epoch = 1; epoch <= epochs; epoch += 1) {
    const { loss } = network.trainEpoch(data, options)
    await work.report({ epoch, epochs, loss })
  }
}

async function fit(
  neural: NeuralModule,
  network: Network,
  source: Source,
  options: FitOptions,
  work: Work,
): Promise<FitResult> {
  const known = network.classes.length > 0 ? network.classes : options.parse.classes
  // A model that predicts numbers takes whole numbers as such, not as names of classes.
  const { loss } = network.specification
  const task = options.parse.task ?? (loss === 'mse' ? ('regression' as const) : undefined)
  const parse = given({ ...options.parse, task, classes: known })
  const raw: Dataset[] = []
  const scaled: Dataset[] = []
  try {
    const all = parseRows(neural, source, parse, work)
    raw.push(all)
    if (options.test !== undefined) {
      raw.push(parseRows(neural, options.test, given({ ...parse, classes: all.classes }), work))
    } else if (options.testSplit > 0) {
      raw.push(...all.split(options.testSplit, options.seed))
      raw.shift()?.free()
    }
    // A model that has learned goes on as it began: if that was with rows as they are, so be it.
    const isNew = network.task === undefined
    const scaling = isNew ? scalingOf(raw[0] ?? all, options.scaling) : network.scaling
    if (scaling === undefined) return await fitScaled(network, raw, options, work)
    scaled.push(...raw.map((data) => data.standardise(scaling)))
    return await fitScaled(network, scaled, options, work)
  } finally {
    for (const data of [...raw, ...scaled]) data.free()
  }
}

/** Rows per step: 32 where there are plenty, fewer where an epoch would be only a few steps. */
export function batchFor(rows: number): number {
  return Math.max(4, Math.min(32, Math.floor(rows / 32)))
}

async function fitScaled(
  network: Network,
  [train, test]: readonly Dataset[],
  options: FitOptions,
  work: Work,
): Promise<FitResult> {
  if (train === undefined) throw new SynapticError('no-rows', 'there are no rows to train on')
  const { epochs, learningRate, momentum, optimiser, seed } = options
  const batch = options.batch ?? batchFor(train.rows)
  const settings = { batch, learningRate, momentum, optimiser, seed }
  await epochByEpoch(network, train, epochs, settings, work)
  const onTrain = scoreOf(network, train)
  const onTest = test === undefined ? undefined : scoreOf(network, test)
  return {
    trainAccuracy: onTrain.accuracy,
    testAccuracy: onTest?.accuracy ?? null,
    loss: onTrain.loss,
    testLoss: onTest?.loss ?? null,
    epochs,
    weightsCid: network.weightsCid(),
    rows: { train: train.rows, test: test?.rows ?? 0 },
    task: train.task,
    classes: [...train.classes],
    model: network.toModel(),
  }
}

/** The outputs row by row, and the likeliest class of each where there are classes. */
function answers(network: Network, inputs: Float32Array): Answer<'predict'> {
  const rows = inputs.length / countOf(network.specification.inputs)
  const flat = network.runBatch(inputs, rows)
  const width = rows === 0 ? 0 : flat.length / rows
  const outputs = Array.from({ length: rows }, (_, row) =>
    Array.from(flat.subarray(row * width, (row + 1) * width)),
  )
  const names = network.classes
  if (names.length === 0) return { outputs, classes: [] }
  return { outputs, classes: outputs.map((row) => names[indexOfMax(row)] ?? '') }
}

function indexOfMax(row: readonly number[]): number {
  return row.reduce((best, value, index) => (value > (row[best] ?? value) ? index : best), 0)
}
