/**
 * The neural engine for programs: a network that is made, run, trained and saved without a mesh,
 * in Node, in pages and in workers.
 *
 * A network holds memory of the wasm core until `free()`. One that is forgotten is freed when it
 * is collected, which is whenever the engine likes: free what you make in numbers.
 */
import { SynapticError, toSynapticError } from '../errors.js'
import {
  type Converted,
  converted,
  type FormatName,
  formatOfBytes,
  readModel,
  writeModel,
} from '../formats/formats.js'
import type { Dtype } from '../formats/storage.js'
import type { Algorithm } from '../training/optimisers.js'
import type { TrainOptions as CoreOptions, Loss, NeuralModule, Specification } from '../wasm.js'
import { badArgument, objectArgument } from './arguments.js'
import { type AnyNetwork, type Engines, endsOf } from './engines.js'
import { datasetOf, type Examples, fannRowsOf, flatRows, type Rows } from './examples.js'
import { Exchange, type Sizes } from './exchange.js'
import { isOfFann, planFor } from './fann/create.js'
import { type FannInfo, FannModel, makeFann } from './fann/model.js'
import { asLayers } from './fann/net.js'
import type { FannTrainOptions } from './fann/options.js'
import { type CreateOptions, specificationFor } from './specification.js'
import {
  fannSteps,
  type Step,
  type StepOptions,
  type Steps,
  stepsOf,
  suited,
  usualFor,
} from './steps.js'

export type { Algorithm, Converted, FannInfo, FannTrainOptions }

/** How to train; what is absent has its default, and what an algorithm does not know is refused. */
export interface TrainOptions extends Omit<CoreOptions, 'optimiser' | 'seed'>, FannTrainOptions {
  /**
   * "adam" by default; of a network of FANN "rprop". The algorithms of FANN ("incremental",
   * "batch", "rprop", "quickprop", "sarprop") train networks of dense layers as well, and "cascade"
   * makes a network of FANN of one that has no hidden layers yet.
   */
  readonly algorithm?: Algorithm
  /** Passes over the rows; 100 by default. A cascade ends by itself. */
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
  /** "json" by default. FANN's own files are made by `convert`. */
  readonly format?: Exclude<FormatName, 'net'>
  /** How matrices are kept: "f32" by default; "f16" and "int8" are smaller, and not for ONNX. */
  readonly dtype?: Dtype
}

/** A form of file; or "layers", a model file of layers, whatever the network is of. */
export type Format = FormatName | 'layers'

/** An epoch that is done; of a cascade, a neuron that is added. */
export interface Epoch {
  /** Counted from 1; of a cascade, epochs of outputs and candidates so far. */
  readonly epoch: number
  /**
   * Mean loss per row: during the epoch; where layers learn by an algorithm of FANN, after it. Of a
   * network of FANN the mean square error of its outputs, as FANN has it: differences of symmetric
   * outputs are halved first.
   */
  readonly loss: number
  /** Share of the rows told right, as the loss; null without classes, and of networks of FANN. */
  readonly accuracy: number | null
  /** Outputs further off than the bit fail limit; of networks of FANN. */
  readonly bitFails?: number
  /** Neurons that a cascade has added. */
  readonly neurons?: number
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
   * The network of a model file, as `save` and the command line write it, or of a FANN file: JSON,
   * safetensors or FANN's, which is told by how it begins.
   *
   * @throws SynapticError `model-*`, `file-*`
   */
  load(model: Uint8Array | ArrayBuffer | string): Promise<Network>
  [Symbol.hasInstance](value: unknown): value is Network
}

const EPOCHS_DEFAULT = 100
/** A page stays responsive, and hears its user, at this interval. */
const BUSY_MS_MAX = 8

/** A network with its weights. */
export class Network {
  readonly #engines: Engines
  readonly #neural: NeuralModule
  readonly #exchange: Exchange
  #core: AnyNetwork | undefined
  /** Asked for once: it never changes, and every `run` wants it. */
  #sizes: Sizes | undefined
  /** Which training it is in; an older one notices that it is over. */
  #training = 0

  /** @internal */
  constructor(engines: Engines, neural: NeuralModule, core: AnyNetwork, exchange: Exchange) {
    this.#engines = engines
    this.#neural = neural
    this.#core = core
    this.#exchange = exchange
  }

  /**
   * What it is: inputs, layers, loss.
   *
   * @throws SynapticError `no-layers` for a network of FANN, which `fann` tells about
   */
  get specification(): Specification {
    const core = this.#open()
    if (!(core instanceof FannModel)) return core.specification
    throw new SynapticError('no-layers', 'a network of FANN has no layers', 'look at its `fann`')
  }

  /** What it is, if it is a network of FANN. */
  get fann(): FannInfo | undefined {
    const core = this.#open()
    return core instanceof FannModel ? core.info : undefined
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
    if (typeof input !== 'object' || input === null) {
      throw badRow(badArgument('a row', 'an array of numbers', input, '').message)
    }
    if (output !== undefined && !(output instanceof Float32Array)) {
      const hint = 'give one, or leave it out'
      throw badArgument('the array for the outputs', 'a Float32Array', output, hint)
    }
    if (!(core instanceof FannModel)) {
      let outputs: Float32Array | undefined
      try {
        outputs = this.#exchange.run(core, input, this.#sizesOf(core), output)
      } catch (thrown) {
        throw notNumbers(thrown)
      }
      if (outputs !== undefined) return outputs
    }
    const row = input instanceof Float32Array ? input : floatsOf(input)
    const found = coded(() => core.run(row))
    if (output === undefined) return found
    if (output.length === found.length) output.set(found)
    else throw badOutput(output.length, found.length)
    return output
  }

  /**
   * The outputs for many rows, one after the other; the same bits as `run` row by row. As there,
   * numbers are not looked at: one that is not finite spoils its own row. Rows in one
   * `Float32Array` are the fastest.
   *
   * @throws SynapticError `rows-invalid`, `network-freed`
   */
  runBatch(inputs: Rows): Float32Array {
    return this.#do((core) => {
      const width = this.#sizesOf(core).inputs
      const flat = flatRows(inputs, width, 'inputs')
      return core.runBatch(flat, flat.length / width)
    })
  }

  /**
   * Trains, an epoch for each turn of the loop (of a cascade, a neuron); leaving the loop ends the
   * training. Every call is a training of its own, and ends the one before.
   *
   * @throws SynapticError `rows-invalid`, `targets-invalid`, `option-invalid`, `training-diverged`
   *   (the weights are those of the epoch before), `training-replaced`, `network-freed`,
   *   `algorithm-does-not-fit`, `no-counterpart`, `cascade-shape`
   */
  async *train(examples: Examples, options: TrainOptions = {}): AsyncGenerator<Epoch, void, void> {
    objectArgument(options, 'the options of train', 'such as { epochs: 20 }')
    const { epochs, signal, loss, algorithm = usualFor(this.#open()), seed, ...settings } = options
    if (signal !== undefined && typeof signal?.throwIfAborted !== 'function') {
      throw badArgument('signal', 'an AbortSignal', signal, 'take that of an AbortController')
    }
    const last = lastEpoch(algorithm, epochs)
    this.#training += 1
    const training = this.#training
    if (loss !== undefined) this.#changeLoss(loss)
    const { steps, free } = await this.#begin(examples, algorithm, settings, seedOf(seed))
    try {
      let heardMs = performance.now()
      for (let epoch = 0; epoch < last; ) {
        signal?.throwIfAborted()
        const step = this.#step(training, steps)
        if (step === undefined) return
        epoch = step.epoch
        yield step
        if (performance.now() - heardMs > BUSY_MS_MAX) {
          await new Promise((resolve) => setTimeout(resolve))
          heardMs = performance.now()
        }
      }
    } finally {
      free()
    }
  }

  /**
   * The model file, with everything that is needed to use the network; JSON by default. An ONNX
   * file is for other programs, and cannot be loaded again. Safetensors and ONNX have layers: a
   * network of FANN is written as those that compute the same.
   *
   * @throws SynapticError `usage`, `weights-too-large`, `network-freed`, `no-counterpart`
   */
  save(options: SaveOptions = {}): Uint8Array {
    objectArgument(options, 'the options of save', "such as { format: 'safetensors' }")
    const { format = 'json', dtype = 'f32' } = options
    return this.#do((core) => writeModel(this.#neural, core, format, dtype))
  }

  /**
   * A network of its own with the same weights. It shares what was worked out of the specification,
   * so that many networks of one kind are made in no time: clones, and `setWeights`.
   */
  clone(): Network {
    return this.#do(
      (core) => new Network(this.#engines, this.#neural, core.clone(), this.#exchange),
    )
  }

  /**
   * The network in any form of file: as `save` writes it, in FANN's own ("net"), or as a model file
   * of layers that compute what this one of FANN does ("layers"). Tells what the form cannot carry.
   *
   * @throws SynapticError `usage`, `weights-too-large`, `network-freed`, `no-counterpart`
   */
  convert(format: Format, options: Pick<SaveOptions, 'dtype'> = {}): Promise<Converted> {
    return later(async () => {
      objectArgument(options, 'the options of convert', "such as { dtype: 'f16' }")
      const { dtype = 'f32' } = options
      const core = this.#open()
      if (format !== 'layers') return converted(this.#engines, core, format, dtype)
      if (!(core instanceof FannModel)) return converted(this.#engines, core, 'json', dtype)
      const layers = asLayers(this.#neural, core)
      try {
        return await converted(this.#engines, layers, 'json', dtype)
      } finally {
        layers.free()
      }
    })
  }

  /** A copy of the parameters in canonical order; of a network of FANN, neuron by neuron. */
  weights(): Float32Array {
    return this.#do((core) => core.weights())
  }

  /** Replaces the parameters. */
  setWeights(weights: Float32Array): void {
    if (!(weights instanceof Float32Array || Array.isArray(weights))) {
      throw badArgument('weights', 'a Float32Array', weights, 'such as weights() gives')
    }
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

  #sizesOf(core: AnyNetwork): Sizes {
    this.#sizes ??= endsOf(core)
    return this.#sizes
  }

  #step(training: number, steps: Steps): Step | undefined {
    return this.#do(() => {
      if (training === this.#training) return steps.next()
      throw new SynapticError(
        'training-replaced',
        'another training of this network has begun',
        'go on with that one',
      )
    })
  }

  /** Begins a training, and becomes what the algorithm can train once nothing is wrong with it. */
  async #begin(
    examples: Examples,
    algorithm: Algorithm,
    settings: StepOptions,
    seed: bigint,
  ): Promise<{ readonly steps: Steps; free(): void }> {
    const own = this.#open()
    const core = await suited(this.#engines, own, algorithm)
    try {
      const begun = await this.#stepsOf(core, examples, algorithm, settings, seed)
      if (core !== own) {
        this.#core = core
        own.free()
      }
      return begun
    } catch (thrown) {
      if (core !== own) core.free()
      throw thrown
    }
  }

  #stepsOf(
    core: AnyNetwork,
    examples: Examples,
    algorithm: Algorithm,
    settings: StepOptions,
    seed: bigint,
  ): Promise<{ readonly steps: Steps; free(): void }> {
    return later(async () => {
      if (core instanceof FannModel) {
        const rows = fannRowsOf(core, examples)
        return { steps: fannSteps(core, rows, algorithm, settings, seed), free: () => undefined }
      }
      const data = datasetOf(this.#neural, core, examples)
      try {
        // Setting weights, even the same, forgets the state of the optimiser.
        core.setWeights(core.weights())
        const steps = await stepsOf(this.#engines, core, data, algorithm, settings, seed)
        const free = (): void => {
          steps.free()
          data.free()
        }
        return { steps, free }
      } catch (thrown) {
        data.free()
        throw thrown
      }
    })
  }

  /** The same network with another loss. */
  #changeLoss(loss: Loss): void {
    const core = this.#open()
    if (endsOf(core).loss === loss) return
    if (core instanceof FannModel) {
      const message = 'a network of FANN makes the square error small, no other loss'
      throw new SynapticError('option-invalid', message, 'choose an errorFunction instead')
    }
    this.#do(() => {
      const model = JSON.parse(new TextDecoder().decode(core.toModel()))
      model.specification.loss = loss
      const bytes = new TextEncoder().encode(JSON.stringify(model))
      this.#core = this.#neural.Network.fromModel(bytes)
      core.free()
    })
  }

  #open(): AnyNetwork {
    if (this.#core !== undefined) return this.#core
    throw new SynapticError('network-freed', 'the network was freed', 'make or load another one')
  }

  #do<T>(work: (core: AnyNetwork) => T): T {
    return coded(() => work(this.#open()))
  }
}

/** The class of networks whose engines are loaded when they are first needed. */
export function networkClass(engines: Engines): NetworkClass {
  let exchange: Exchange | undefined
  const make = (neural: NeuralModule, core: AnyNetwork): Network => {
    exchange ??= new Exchange(neural)
    return new Network(engines, neural, core, exchange)
  }
  return {
    async create(options) {
      objectArgument(options, 'the network to make', 'such as { layers: [2, 4, 1] }')
      const seed = seedOf(options.seed)
      if (!isOfFann(options)) {
        const specification = specificationFor(options)
        const neural = await engines.neural()
        const core = coded(() => neural.Network.create(specification, seed, options.force))
        return make(neural, core)
      }
      const plan = planFor(options)
      const [neural, fann] = [await engines.neural(), await engines.fann()]
      return make(
        neural,
        coded(() => new FannModel(neural, makeFann(fann, plan, seed))),
      )
    },
    async load(model) {
      const file = bytesOf(model)
      return later(async () =>
        make(await engines.neural(), await readModel(engines, file, formatOfBytes(file))),
      )
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

/** As `coded`, of work that takes its time. */
async function later<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    throw toSynapticError(thrown)
  }
}

/** The bytes of a model; not those that an array of another kind happens to make. */
function bytesOf(model: Uint8Array | ArrayBuffer | string): Uint8Array {
  if (typeof model === 'string') return new TextEncoder().encode(model)
  const name = Object.prototype.toString.call(model)
  if (/ (Uint8Array|(Shared)?ArrayBuffer)\]$/.test(name)) return new Uint8Array(model)
  const kind = 'the content of a file: a Uint8Array, an ArrayBuffer or a text'
  throw badArgument('a model', kind, model, 'read the file first, such as by readFile')
}

function floatsOf(row: ArrayLike<number>): Float32Array {
  try {
    return Float32Array.from(row)
  } catch (thrown) {
    throw notNumbers(thrown)
  }
}

/** The error for a row in which something cannot be made a number. */
function notNumbers(thrown: unknown): unknown {
  if (!(thrown instanceof TypeError)) return toSynapticError(thrown)
  return badRow(`a row must be of numbers: ${thrown.message}`)
}

function badRow(message: string): SynapticError {
  return new SynapticError('rows-invalid', message, 'give one number for each input')
}

/** After how many epochs a training ends, unless it does so by itself. */
function lastEpoch(algorithm: Algorithm, epochs: number | undefined): number {
  if (algorithm !== 'cascade') {
    if (epochs === undefined || (Number.isInteger(epochs) && epochs >= 1)) {
      return epochs ?? EPOCHS_DEFAULT
    }
    const message = `${String(epochs)} epochs cannot be trained`
    throw new SynapticError('option-invalid', message, 'give a whole number, 1 or more')
  }
  if (epochs === undefined) return Number.POSITIVE_INFINITY
  const message = 'a cascade ends by itself, not after a number of epochs'
  throw new SynapticError('option-invalid', message, 'use maxNeurons')
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
    `${String(seed)} is not a seed`,
    'use a whole number, 0 or more',
  )
}
