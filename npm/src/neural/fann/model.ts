/**
 * A network of FANN with what is needed to use it, with the methods of the core's class for
 * networks of layers.
 *
 * The engine knows nothing of units and classes: rows are scaled on their way in, and the outputs
 * of a regression brought back into the units of its targets, here.
 */
import { SynapticError } from '../../errors.js'
import type {
  Column,
  Dataset,
  Fann,
  FannModule,
  FannSettings,
  NeuralModule,
  Scaling,
  Task,
} from '../../wasm.js'
import { isSymmetric, isUnbounded, numberOf, type Steep } from './activations.js'
import { type Description, modelFile } from './file.js'
import { steepsOf } from './layers.js'

/** What a network of FANN is. */
export interface FannInfo {
  /** Whether neurons take the layer before them, or all layers before. */
  readonly kind: 'layered' | 'shortcut'
  /** Neurons of each layer, the inputs being the first. */
  readonly layers: readonly number[]
  /** Neurons between inputs and outputs. */
  readonly hiddenNeurons: number
  /**
   * Those that a cascade added: in a shortcut network, the ones in layers of their own behind the
   * others. A file says no more about it.
   */
  readonly cascadeNeurons: number
  /** Weights and biases together. */
  readonly connections: number
  /** The share of possible connections that the network was made with. */
  readonly connectionRate: number
  /** Activation and steepness of each layer behind the inputs; several if its neurons differ. */
  readonly activations: readonly (readonly Steep[])[]
}

/** Rows as the engine takes them. */
export interface FannRows {
  readonly inputs: Float32Array
  readonly targets: Float32Array
}

const NOTHING: Description = {
  ...{ task: undefined, classes: [], scaling: undefined, target: undefined, columns: [] },
}

/** A network of FANN and its description. */
export class FannModel {
  readonly #neural: Pick<NeuralModule, 'weightsCid'>
  readonly #fann: Fann
  #description: Description

  constructor(neural: Pick<NeuralModule, 'weightsCid'>, fann: Fann, description = NOTHING) {
    this.#neural = neural
    this.#fann = fann
    this.#description = description
  }

  /** The network itself, which takes scaled rows. */
  get fann(): Fann {
    return this.#fann
  }

  get info(): FannInfo {
    const { shortcut, connectionRate } = this.#fann
    const layers = [...this.#fann.layers]
    const hidden = layers.slice(1, -1)
    const wide = hidden.findLastIndex((size) => size !== 1)
    return {
      kind: shortcut ? 'shortcut' : 'layered',
      layers,
      hiddenNeurons: hidden.reduce((sum, size) => sum + size, 0),
      cascadeNeurons: shortcut ? hidden.length - 1 - wide : 0,
      connections: this.parameterCount,
      connectionRate,
      activations: layers.slice(1).map((_, index) => distinct(steepsOf(this.#fann, index + 1))),
    }
  }

  get inputs(): number {
    return this.#fann.layers[0] ?? 0
  }

  get outputs(): number {
    return this.#fann.layers.at(-1) ?? 0
  }

  /** Whether every output takes every value. */
  get unbounded(): boolean {
    return this.#ends().every(({ activation }) => isUnbounded(activation))
  }

  /** Whether an output goes from -1 to 1, where a class that is not meant is -1. */
  get symmetric(): boolean {
    return this.#ends().some(({ activation }) => isSymmetric(activation))
  }

  get parameterCount(): number {
    return this.#fann.weights().length
  }

  get classes(): readonly string[] {
    return this.#description.classes
  }

  get task(): Task | undefined {
    return this.#description.task
  }

  get scaling(): Scaling | undefined {
    return this.#description.scaling
  }

  /** Of the tables it was trained on; none where it was trained on numbers alone. */
  get columns(): readonly Column[] {
    return this.#description.columns
  }

  get description(): Description {
    return this.#description
  }

  /** Says what inputs and outputs are, by the rows it learns from first: raw ones. */
  describeBy(data: Dataset, scaling: Scaling): void {
    if (data.task === 'classification' && data.classes.length !== this.outputs) {
      throw misfit(`${data.classes.length} classes`, `${this.outputs} outputs`)
    }
    const { task, classes, columns } = data
    this.#checkTargets(data)
    if (task === 'regression') this.#checkReach(Float32Array.from(data.labels()))
    // What is to be given back are the inputs as the network takes them.
    const measured = task === 'regression' && this.unbounded
    const ofTargets = measured ? standardOf(data.labels(), this.outputs) : undefined
    const target = task === 'reconstruction' ? scaling : ofTargets
    this.#description = { task, classes: [...classes], scaling, target, columns }
  }

  /** Labelled raw rows as the engine takes them. */
  rowsOf(data: Dataset): FannRows {
    const { task, classes, target } = this.#description
    if (task === undefined) {
      throw new SynapticError(
        'data-differs',
        'nothing says what the outputs of this network are: a FANN file knows no classes, and no task',
        'use the model it was made from, or train it on labelled rows (neural train --output m.json)',
      )
    }
    if (data.features !== this.inputs) {
      throw misfit(`${data.features} features`, `${this.inputs} inputs`)
    }
    if (task !== data.task || classes.join('\n') !== data.classes.join('\n')) {
      throw new SynapticError(
        'data-differs',
        'the data has other classes than the network was trained with',
        'read the data with the class names of the network',
      )
    }
    const labels = data.labels()
    const inputs = this.#scaled(data.values())
    if (task !== 'classification') {
      this.#checkTargets(data)
      const targets = Float32Array.from(labels)
      return { inputs, targets: target === undefined ? targets : applied(target, targets) }
    }
    const width = classes.length
    const lows = this.#ends().map(({ activation }) => (isSymmetric(activation) ? -1 : 0))
    const targets = new Float32Array(labels.length * width)
    labels.forEach((label, row) => {
      for (let place = 0; place < width; place += 1) {
        targets[row * width + place] = place === label ? 1 : (lows[place] ?? 0)
      }
    })
    return { inputs, targets }
  }

  /** Raw numbers as the engine takes them. */
  rowsOfNumbers(inputs: Float32Array, targets: Float32Array): FannRows {
    const { target } = this.#description
    return {
      inputs: this.#scaled(inputs),
      targets: target === undefined ? targets : applied(target, targets),
    }
  }

  run(row: Float32Array): Float32Array {
    if (row.length === this.inputs) return this.runBatch(row, 1)
    throw new SynapticError(
      'rows-invalid',
      `a row has ${row.length} numbers, the network takes ${this.inputs}`,
      'give it one number for each input',
    )
  }

  runBatch(rows: Float32Array, _count: number): Float32Array {
    const outputs = this.#fann.run(this.#scaled(rows))
    const { target } = this.#description
    return target === undefined ? outputs : undone(target, outputs)
  }

  /**
   * Loss and accuracy over raw labelled rows: the mean square difference of outputs and targets, as
   * the network has them.
   */
  evaluate(data: Dataset): { readonly loss: number; readonly accuracy: number | null } {
    const { inputs, targets } = this.rowsOf(data)
    const outputs = this.#fann.run(inputs)
    let sum = 0
    outputs.forEach((output, at) => {
      sum += (output - (targets[at] ?? 0)) ** 2
    })
    const width = this.outputs
    const largest = (numbers: Float32Array, row: number): number => {
      const part = numbers.subarray(row * width, (row + 1) * width)
      return part.indexOf(Math.max(...part))
    }
    let right = 0
    for (let row = 0; row < data.rows; row += 1) {
      if (largest(outputs, row) === largest(targets, row)) right += 1
    }
    const accuracy = data.task === 'classification' ? right / data.rows : null
    return { loss: sum / outputs.length, accuracy }
  }

  weights(): Float32Array {
    return this.#fann.weights()
  }

  setWeights(weights: Float32Array): void {
    this.#fann.setWeights(weights)
  }

  weightsCid(): string {
    return this.#neural.weightsCid(bytesOf(this.weights()))
  }

  toModel(): Uint8Array {
    return modelFile(this.#fann.toFile(), this.#description, this.weightsCid())
  }

  /** A network of its own with the same weights and description, in no training. */
  clone(): FannModel {
    return new FannModel(this.#neural, this.#fann.clone(), this.#description)
  }

  free(): void {
    this.#fann.free()
  }

  /** Checks that there is a number to predict for each output. */
  #checkTargets(data: Dataset): void {
    if (data.task === 'classification') return
    const targets = data.labels().length / data.rows
    if (targets === this.outputs) return
    throw misfit(`${targets} numbers to predict per row`, `${this.outputs} outputs`)
  }

  /** Checks that outputs of a bounded activation can come to what is to be predicted. */
  #checkReach(targets: Float32Array): void {
    this.#ends().forEach(({ activation }, place, { length }) => {
      if (isUnbounded(activation)) return
      const [low, high] = [isSymmetric(activation) ? -1 : 0, 1]
      const bad = targets.find((one, at) => at % length === place && !(one >= low && one <= high))
      if (bad === undefined) return
      throw new SynapticError(
        'targets-invalid',
        `${bad} is to be predicted, and ${activation} outputs go from ${low} to ${high}`,
        'make a network with linear outputs (--output-activation linear), or scale what it predicts',
      )
    })
  }

  #ends(): Steep[] {
    return steepsOf(this.#fann, this.#fann.layers.length - 1)
  }

  #scaled(rows: Float32Array): Float32Array {
    const { scaling } = this.#description
    return scaling === undefined ? rows : applied(scaling, rows)
  }
}

/** Weights as the content id has them: little-endian, whatever the machine is. */
function bytesOf(weights: Float32Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(weights.length * 4))
  weights.forEach((weight, index) => {
    view.setFloat32(4 * index, weight, true)
  })
  return new Uint8Array(view.buffer)
}

/** A new network of FANN. */
export interface FannPlan {
  readonly layers: readonly number[]
  readonly shortcut: boolean
  readonly connectionRate: number
  readonly hidden: Steep
  readonly output: Steep
  readonly weightRange: number | undefined
}

/** Makes a network by its plan; the same seed gives the same weights. */
export function makeFann(module: FannModule, plan: FannPlan, seed: bigint): Fann {
  const { layers, shortcut, connectionRate, hidden, output, weightRange } = plan
  const fann = module.Fann.create(Uint32Array.from(layers), shortcut, connectionRate, seed)
  for (let layer = 1; layer < layers.length; layer += 1) {
    const { activation, steepness } = layer === layers.length - 1 ? output : hidden
    fann.setActivation(layer, numberOf(activation), steepness)
  }
  if (weightRange !== undefined) fann.randomize(weightRange, seed)
  return fann
}

/** A training of a network of FANN, step by step: an epoch, or of a cascade a neuron. */
export class FannTraining {
  readonly #fann: Fann
  readonly #cascade: number | undefined
  readonly #desired: boolean
  #over = false

  constructor(fann: Fann, rows: FannRows, settings: FannSettings, maxNeurons = 30) {
    this.#fann = fann
    this.#cascade = settings.algorithm === 'cascade' ? maxNeurons : undefined
    this.#desired = settings.desiredError !== undefined || this.#cascade !== undefined
    fann.begin(rows.inputs, rows.targets, settings)
  }

  /** The next step; undefined when there is nothing left to do. */
  next(): FannStep | undefined {
    if (this.#over) return undefined
    let done = this.#told(this.#fann.epoch())
    this.#over = this.#desired && done.reached
    if (this.#cascade !== undefined) {
      this.#over ||= done.added >= this.#cascade
      // As libfann does: the outputs learn one last time, however good they are.
      if (this.#over) done = this.#told(this.#fann.finish())
    }
    const { epochs, loss, bitFails, added } = done
    return { epoch: epochs, loss, bitFails, ...(this.#cascade && { neurons: added }) }
  }

  #told<T>(step: T | undefined): T {
    if (step !== undefined) return step
    throw new SynapticError('training-replaced', 'another training of this network has begun')
  }
}

/** A step that is done. */
export interface FannStep {
  readonly epoch: number
  readonly loss: number
  readonly bitFails: number
  readonly neurons?: number
}

function distinct(steeps: readonly Steep[]): Steep[] {
  const seen = new Map(steeps.map((steep) => [`${steep.activation} ${steep.steepness}`, steep]))
  return [...seen.values()]
}

/** `(raw - offset) * scale`, column by column, rounded as the core rounds. */
function applied({ offset, scale }: Scaling, rows: Float32Array): Float32Array {
  const width = offset.length
  return rows.map(
    (raw, at) => Math.fround(raw - (offset[at % width] ?? 0)) * (scale[at % width] ?? 1),
  )
}

function undone({ offset, scale }: Scaling, rows: Float32Array): Float32Array {
  const width = offset.length
  return rows.map(
    (number, at) => Math.fround(number / (scale[at % width] ?? 1)) + (offset[at % width] ?? 0),
  )
}

/** Mean 0 and deviation 1 of each column; of numbers that are all the same, only the mean. */
function standardOf(numbers: ArrayLike<number>, width: number): Scaling {
  const all = Array.from(numbers)
  const [offset, scale]: [number[], number[]] = [[], []]
  for (let column = 0; column < width; column += 1) {
    const ofColumn = all.filter((_, at) => at % width === column)
    const mean = ofColumn.reduce((sum, one) => sum + one, 0) / ofColumn.length
    const variance = ofColumn.reduce((sum, one) => sum + (one - mean) ** 2, 0) / ofColumn.length
    offset.push(Math.fround(mean))
    scale.push(Math.fround(variance > 0 ? 1 / Math.sqrt(variance) : 1))
  }
  return { offset, scale }
}

function misfit(data: string, network: string): SynapticError {
  return new SynapticError(
    'data-does-not-fit',
    `the data has ${data}, the network ${network}`,
    'make a network with inputs and outputs for these rows',
  )
}
