/**
 * The work of a training worker: every operation of the protocol, on the `neural` artifact.
 *
 * Objects of the core live in its memory and are given back in `finally`, whatever happens.
 */
import { SynapticError, toSynapticError } from '../errors.js'
import { writeModel } from '../formats/formats.js'
import { given } from '../given.js'
import { type AnyNetwork, endsOf } from '../neural/engines.js'
import { FannModel, makeFann } from '../neural/fann/model.js'
import type {
  Dataset,
  Network,
  NeuralModule,
  ParsedRows,
  ParseOptions,
  Scaling,
  TrainOptions,
} from '../wasm.js'
import { assess, indexOfMax } from './assess.js'
import { convert } from './convert.js'
import { fit } from './fit.js'
import type { Answer, Argument, Operation, RowsInfo } from './protocol.js'
import {
  bytesOf,
  forModel,
  naming,
  openModel,
  parseFor,
  parseRows,
  scalingOf,
  scoreOf,
  using,
  type Work,
} from './rows.js'
import { layersOf } from './shapes.js'
import { timeEpoch, timeRun } from './timing.js'

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

  async trusted({ source, parse, scaling }, work) {
    const neural = await work.neural()
    return using(parseRows(neural, source, parse, work), (raw) =>
      using(raw.standardise(scaling), (data) => ({
        inputs: bytesOfNumbers(data.values()),
        labels: bytesOfNumbers(data.labels()),
      })),
    )
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

  async create({ seed, force, format, ...what }, work) {
    const neural = await work.neural()
    const network =
      'plan' in what
        ? new FannModel(neural, makeFann(await work.fann(), what.plan, seed))
        : neural.Network.create(what.specification, seed, force)
    return using(network, (made) => ({
      model: writeModel(neural, made, format),
      parameters: made.parameterCount,
      weightsCid: made.weightsCid(),
      fann: made instanceof FannModel ? made.info : null,
    }))
  },

  async convert({ model, modelFile, ...options }, work) {
    return using(await openModel(work, model, modelFile), (network) =>
      convert(network, options, work),
    )
  },

  async fit({ model, modelFile, source, ...options }, work) {
    return fit(await openModel(work, model, modelFile), source, options, work)
  },

  async assess({ model, modelFile, source, parse }, work) {
    const neural = await work.neural()
    return using(await openModel(work, model, modelFile), (network) => {
      const read = parseFor(network, parse)
      const rows = forModel(network, () => parseRows(neural, source, read, work))
      return using(rows, (data) => assess(network, data))
    })
  },

  async describe({ model, modelFile }, work) {
    return using(await openModel(work, model, modelFile), (network) => {
      const { scaling } = network
      return {
        ...whatIs(network),
        parameters: network.parameterCount,
        task: network.task ?? null,
        classes: [...network.classes],
        scaling: scaling === undefined ? null : plainScaling(scaling),
        columns: network.columns,
        weightsCid: network.weightsCid(),
      }
    })
  },

  async predict({ model, modelFile, source, header, label }, work) {
    const neural = await work.neural()
    const csv = bytesOf(source, work)
    return using(await openModel(work, model, modelFile), (network) =>
      answers(
        network,
        forModel(network, () =>
          naming(source, () => rowsFor(neural, network, csv, { header, label })),
        ),
      ),
    )
  },

  async bench({ model, modelFile, batches, source, parse }, work) {
    const neural = await work.neural()
    return using(await openModel(work, model, modelFile), async (network) => {
      const run = batches.map((batch) => timeRun(network, batch))
      const { parameterCount: parameters } = network
      if (source === undefined) return { parameters, run, epoch: null }
      const rows = parseRows(neural, source, parseFor(network, parse), work)
      return using(rows, async (data) => {
        return { parameters, run, epoch: await timeEpoch(work, network, data) }
      })
    })
  },
}

/** What a network is made of: layers, or what FANN has instead. */
function whatIs(
  network: AnyNetwork,
): Pick<Answer<'describe'>, 'specification' | 'layers' | 'fann'> {
  if (network instanceof FannModel) return { specification: null, layers: [], fann: network.info }
  const { specification } = network
  return { specification, layers: layersOf(specification), fann: null }
}

/** The inputs of rows, with the label column left out where there is one. */
function rowsFor(
  neural: NeuralModule,
  network: AnyNetwork,
  csv: Uint8Array,
  { header, label }: { header: boolean | undefined; label: ParseOptions['label'] },
): ParsedRows {
  const { columns, task } = network
  const { inputs, outputs } = endsOf(network)
  const known = columns.length === 0 ? {} : { columns }
  const read = (column: ParseOptions['label']): ParsedRows =>
    neural.Dataset.parseRows(csv, inputs, { ...given({ header, label: column }), ...known })
  try {
    return read(label)
  } catch (thrown) {
    if (label !== undefined) throw thrown
    // Columns too many are most likely the label, or as many labels as there are numbers to
    // predict, where training looks for them too. As text a label fails as a number before the
    // columns are counted, so the cause does not tell.
    const first = columns.length === 0 ? inputs : columns.length
    const several = task === 'regression' ? outputs : 1
    for (const count of new Set([1, several])) {
      try {
        return read(Array.from({ length: count }, (_, place) => first + place))
      } catch (guessed) {
        // A table of so many columns has labels there, and something else is wrong with it.
        if (!isAboutColumns(guessed)) throw guessed
      }
    }
    throw thrown
  }
}

/** Whether a table does not have the columns that it was to be read with. */
function isAboutColumns(thrown: unknown): boolean {
  const { code } = toSynapticError(thrown)
  return ['data-columns', 'data-no-label', 'data-no-column'].includes(code)
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
    scaling: plainScaling(scaling),
  }
}

/** A scaling that JSON can hold. */
function plainScaling({ offset, scale }: Scaling): Scaling {
  return { offset: Array.from(offset), scale: Array.from(scale) }
}

function floats(bytes: Uint8Array): Float32Array {
  return new Float32Array(Uint8Array.from(bytes).buffer)
}

/** As they are in memory: every machine that runs this is little-endian, and so is wasm. */
function bytesOfNumbers(numbers: Float32Array | Uint32Array): Uint8Array {
  return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength)
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
    const { loss, accuracy } = network.trainEpoch(data, options)
    await work.report({ epoch, epochs, loss, accuracy })
  }
}

/** The outputs row by row, and the likeliest class of each where there are classes. */
function answers(network: AnyNetwork, { inputs, ignored }: ParsedRows): Answer<'predict'> {
  const rows = inputs.length / endsOf(network).inputs
  const flat = network.runBatch(inputs, rows)
  const width = rows === 0 ? 0 : flat.length / rows
  const outputs = Array.from({ length: rows }, (_, row) =>
    Array.from(flat.subarray(row * width, (row + 1) * width)),
  )
  const names = network.classes
  if (names.length === 0) return { outputs, classes: [], ignored }
  return { outputs, ignored, classes: outputs.map((row) => names[indexOfMax(row)] ?? '') }
}
