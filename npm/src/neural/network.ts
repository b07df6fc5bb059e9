/**
 * The neural engine for programs: a network that is made, run, trained and saved without a mesh,
 * in Node, in pages and in workers.
 *
 * A network holds memory of the wasm core until `free()`. One that is forgotten is freed when it
 * is collected, which is whenever the engine likes: free what you make in numbers.
 */
import { SynapticError, toSynapticError } from '../errors.js'
import { type FormatName, formatOfBytes, readModel, writeModel } from '../formats/formats.js'
import type { Dtype } from '../formats/storage.js'
import { given } from '../given.js'
import { batchFor, type Optimiser, RATES } from '../training/optimisers.js'
import type {
  TrainOptions as CoreOptions,
  Dataset,
  Loss,
  NeuralModule,
  Specification,
  TrainedEpoch,
} from '../wasm.js'
import { datasetOf, type Examples, flatRows, type Rows } from './examples.js'
import { Exchange, type Sizes } from './exchange.js'
import { type CreateOptions, specificationFor } from './specification.js'

type Core = import('../wasm.js').Network

/** How a training steps. */
export type Algorithm = Optimiser

/** How to train; what is absent has its default. */
export interface TrainOptions extends Omit<CoreOptions, 'optimiser' | 'seed'> {
  /** "adam" by default. */
  readonly algorithm?: Algorithm
  /** Passes over the rows; 100 by default. */
  readonly epochs?: number
  /** What to make small from now on, instead of the loss the network was made with. */
  readonly loss?: Loss
  /** Where the order of the rows comes from; 0 by default. */
  readonly seed?: number | bigint
  /** Ends the training before its next epoch. */
  readonly signal?: AbortSignal
}

/** How to write a model; what is absent has its default. */
export interface SaveOptions {
  /** "json" by default. */
  readonly format?: FormatName
  /** How matrices are kept: "f32" by default; "f16" and "int8" are smaller, and not for ONNX. */
  readonly dtype?: Dtype
}

/** An epoch that is done. */
export interface Epoch {
  /** Counted from 1. */
  readonly epoch: number
  /** Mean loss per row during the epoch. */
  readonly loss: number
  /** Share of the rows that were told right during the epoch; null without classes. */
  readonly accuracy: number | null
}

/** What there is before a network: the ways to one. */
export interface NetworkClass {
  /**
   * A new network; the same seed gives the same weights.
   *
   * @throws SynapticError `usage`, `specification-invalid`, `parameters-too-many`,
   *   `wasm-unavailable`
   */
  create(options: CreateOptions): Promise<Network>
  /**
   * The network of a model file, as `save` and the command line write it: JSON or safetensors,
   * which is told by how it begins.
   *
   * @throws SynapticError `model-*`
   */
  load(model: Uint8Array | ArrayBuffer | string): Promise<Network>
  [Symbol.hasInstance](value: unknown): value is Network
}

const EPOCHS_DEFAULT = 100
/** A page stays responsive, and hears its user, at this interval. */
const BUSY_MS_MAX = 8

/** A network with its weights. */
export class Network {
  readonly #neural: NeuralModule
  readonly #exchange: Exchange
  #core: Core | undefined
  /** Asked for once: it never changes, and every `run` wants it. */
  #sizes: Sizes | undefined
  /** Which training it is in; an older one notices that it is over. */
  #training = 0

  /** @internal */
  constructor(neural: NeuralModule, core: Core, exchange: Exchange) {
    this.#neural = neural
    this.#core = core
    this.#exchange = exchange
  }

  /** What it is: inputs, layers, loss. */
  get specification(): Specification {
    return this.#open().specification
  }

  /** Weights and biases together. */
  get parameterCount(): number {
    return this.#open().parameterCount
  }

  /** The classes in the order of the outputs, if it was trained to tell classes apart. */
  get classes(): readonly string[] {
    return this.#open().classes
  }

  /** Numbers that `run` takes. */
  get inputCount(): number {
    return this.#sizesOf(this.#open()).inputs
  }

  /** Numbers that `run` gives. */
  get outputCount(): number {
    return this.#sizesOf(this.#open()).outputs
  }

  /**
   * The outputs for one row: in a new array, or in `output`, which saves the time to make one.
   *
   * @throws SynapticError `rows-invalid`, `network-freed`
   */
  run(input: ArrayLike<number>, output?: Float32Array): Float32Array {
    const core = this.#open()
    const outputs = this.#exchange.run(core, input, this.#sizesOf(core), output)
    if (outputs !== undefined) return outputs
    const row = input instanceof Float32Array ? input : Float32Array.from(input)
    const found = coded(() => core.run(row))
    if (output === undefined) return found
    if (output.length === found.length) output.set(found)
    else throw badOutput(output.length, found.length)
    return output
  }

  /** The outputs for many rows, one after the other; the same bits as `run` row by row. */
  runBatch(inputs: Rows): Float32Array {
    return this.#do((core) => {
      const width = core.inputCount
      const flat = flatRows(inputs, width, 'inputs')
      return core.runBatch(flat, flat.length / width)
    })
  }

  /**
   * Trains, an epoch for each turn of the loop; leaving the loop ends the training. Every call is a
   * training of its own, and ends the one before.
   *
   * @throws SynapticError `rows-invalid`, `targets-invalid`, `option-invalid`, `training-diverged`
   *   (the weights are those of the epoch before), `training-replaced`, `network-freed`
   */
  async *train(examples: Examples, options: TrainOptions = {}): AsyncGenerator<Epoch, void, void> {
    const { epochs = EPOCHS_DEFAULT, signal, loss } = options
    this.#training += 1
    const training = this.#training
    if (loss !== undefined) this.#changeLoss(loss)
    const data = this.#do((core) => datasetOf(this.#neural, core, examples))
    try {
      const settings = settingsOf(options, data.rows)
      // Setting weights, even the same, forgets the state of the optimiser.
      this.#do((core) => core.setWeights(core.weights()))
      let heardMs = performance.now()
      for (let epoch = 1; epoch <= epochs; epoch += 1) {
        signal?.throwIfAborted()
        const { loss, accuracy } = this.#epoch(training, data, settings)
        yield { epoch, loss, accuracy }
        if (performance.now() - heardMs > BUSY_MS_MAX) {
          await new Promise((resolve) => setTimeout(resolve))
          heardMs = performance.now()
        }
      }
    } finally {
      data.free()
    }
  }

  /**
   * The model file, with everything that is needed to use the network; JSON by default. An ONNX file
   * is for other programs, and cannot be loaded again.
   *
   * @throws SynapticError `usage`, `weights-too-large`, `network-freed`
   */
  save({ format = 'json', dtype = 'f32' }: SaveOptions = {}): Uint8Array {
    return this.#do((core) => writeModel(this.#neural, core, format, dtype))
  }

  /**
   * A network of its own with the same weights. It shares what was worked out of the specification,
   * so that many networks of one kind are made in no time: clones, and `setWeights`.
   */
  clone(): Network {
    return this.#do((core) => new Network(this.#neural, core.clone(), this.#exchange))
  }

  /** A copy of the parameters in canonical order. */
  weights(): Float32Array {
    return this.#do((core) => core.weights())
  }

  /** Replaces the parameters. */
  setWeights(weights: Float32Array): void {
    this.#do((core) => core.setWeights(weights))
  }

  /** The content id of the parameters: equal ids, equal weights, bit for bit. */
  weightsCid(): string {
    return this.#do((core) => core.weightsCid())
  }

  /** Gives its memory back; it cannot be used afterwards. A second time does nothing. */
  free(): void {
    this.#core?.free()
    this.#core = undefined
  }

  [Symbol.dispose](): void {
    this.free()
  }

  #sizesOf(core: Core): Sizes {
    this.#sizes ??= { inputs: core.inputCount, outputs: core.outputCount }
    return this.#sizes
  }

  #epoch(training: number, data: Dataset, settings: CoreOptions): TrainedEpoch {
    return this.#do((core) => {
      if (training === this.#training) return core.trainEpoch(data, settings)
      throw new SynapticError('training-replaced', 'another training of this network has begun')
    })
  }

  /** The same network with another loss. */
  #changeLoss(loss: Loss): void {
    this.#do((core) => {
      if (core.specification.loss === loss) return
      const model = JSON.parse(new TextDecoder().decode(core.toModel()))
      model.specification.loss = loss
      const bytes = new TextEncoder().encode(JSON.stringify(model))
      this.#core = this.#neural.Network.fromModel(bytes)
      core.free()
    })
  }

  #open(): Core {
    if (this.#core !== undefined) return this.#core
    throw new SynapticError('network-freed', 'the network was freed', 'make or load another one')
  }

  #do<T>(work: (core: Core) => T): T {
    return coded(() => work(this.#open()))
  }
}

/** The class of networks whose core `loading` loads when it is first needed. */
export function networkClass(loading: () => Promise<NeuralModule>): NetworkClass {
  let exchange: Exchange | undefined
  const make = (neural: NeuralModule, core: () => Core): Network => {
    exchange ??= new Exchange(neural)
    return new Network(neural, coded(core), exchange)
  }
  return {
    async create(options) {
      const specification = specificationFor(options)
      const seed = seedOf(options.seed)
      const neural = await loading()
      return make(neural, () => neural.Network.create(specification, seed, options.force))
    },
    async load(model) {
      const bytes = typeof model === 'string' ? new TextEncoder().encode(model) : model
      const file = new Uint8Array(bytes)
      const neural = await loading()
      return make(neural, () => readModel(neural, file, formatOfBytes(file)))
    },
    [Symbol.hasInstance]: (value): value is Network => value instanceof Network,
  }
}

/** Does work of the core; its errors become ours. */
function coded<T>(work: () => T): T {
  try {
    return work()
  } catch (thrown) {
    throw toSynapticError(thrown)
  }
}

function settingsOf(options: TrainOptions, rows: number): CoreOptions {
  const { algorithm = 'adam', epochs: _, loss: __, signal: ___, seed, ...settings } = options
  const learningRate: number | undefined = RATES[algorithm]
  if (learningRate === undefined) {
    const known = Object.keys(RATES).join(', ')
    throw new SynapticError(
      'option-invalid',
      `there is no algorithm "${algorithm}"`,
      `use ${known}`,
    )
  }
  const own = { batch: batchFor(rows), learningRate, optimiser: algorithm, seed: seedOf(seed) }
  return { ...own, ...given(settings) }
}

function badOutput(found: number, expected: number): SynapticError {
  return new SynapticError(
    'rows-invalid',
    `the outputs are ${expected} numbers, the array for them has ${found}`,
    'give an array of as many numbers as outputCount says',
  )
}

function seedOf(seed: number | bigint = 0n): bigint {
  const whole = typeof seed === 'bigint' || Number.isSafeInteger(seed) ? BigInt(seed) : -1n
  if (whole >= 0n && whole < 2n ** 64n) return whole
  throw new SynapticError(
    'option-invalid',
    `${seed} is not a seed`,
    'use a whole number, 0 or more',
  )
}
