/**
 * The neural engine for programs: a network that is made, run, trained and saved without a mesh,
 * in Node, in pages and in workers.
 *
 * A network holds memory of the wasm core until `free()`. One that is forgotten is freed when it
 * is collected, which is whenever the engine likes: free what you make in numbers.
 */
import { SynapticError, toSynapticError } from '../errors.js'
import type { Algorithm } from '../training/optimisers.js'
import type { TrainOptions as CoreOptions, Dataset, Loss, Specification } from '../wasm.js'
import { type Converted, converted, type Format } from './convert.js'
import { datasetOf, type Examples, fannRowsOf, flatRows, type Rows } from './examples.js'
import { isOfFann, planFor } from './fann/create.js'
import { type FannInfo, FannModel, makeFann } from './fann/model.js'
import type { FannTrainOptions } from './fann/options.js'
import { type AnyNetwork, type Engines, endsOf, openNetwork } from './open.js'
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

export type { Algorithm, Converted, FannInfo, FannTrainOptions, Format }

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
   * @throws SynapticError `usage`, `specification-invalid`, `wasm-unavailable`
   */
  create(options: CreateOptions): Promise<Network>
  /**
   * The network of a model file, as `save` and the command line write it, or of a FANN file.
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
  #core: AnyNetwork | undefined
  /** Which training it is in; an older one notices that it is over. */
  #training = 0

  /** @internal */
  constructor(engines: Engines, core: AnyNetwork) {
    this.#engines = engines
    this.#core = core
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

  /** The outputs for one row. */
  run(input: ArrayLike<number>): Float32Array {
    const row = input instanceof Float32Array ? input : Float32Array.from(input)
    return this.#do((core) => core.run(row))
  }

  /** The outputs for many rows, one after the other; the same bits as `run` row by row. */
  runBatch(inputs: Rows): Float32Array {
    return this.#do((core) => {
      const width = endsOf(core).inputs
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
    const { epochs, signal, loss, algorithm = usualFor(this.#open()), seed, ...settings } = options
    const last = lastEpoch(algorithm, epochs)
    this.#training += 1
    const training = this.#training
    if (loss !== undefined) await this.#changeLoss(loss)
    await this.#suit(algorithm)
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

  /** The model file: JSON with everything that is needed to use the network. */
  save(): Uint8Array {
    return this.#do((core) => core.toModel())
  }

  /**
   * The network in a file of another format: "fann", FANN's own, or "layers", a model file of a
   * network of layers that computes what this one of FANN does. Tells what the format cannot carry.
   *
   * @throws SynapticError `no-counterpart`
   */
  async convert(format: Format): Promise<Converted> {
    try {
      return await converted(this.#engines, this.#open(), format)
    } catch (thrown) {
      throw toSynapticError(thrown)
    }
  }

  /** A copy of the parameters in canonical order; of a network of FANN, neuron by neuron. */
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

  /** Becomes what the algorithm can train. */
  async #suit(algorithm: Algorithm): Promise<void> {
    const core = this.#open()
    const suiting = await suited(this.#engines, core, algorithm)
    if (suiting === core) return
    this.#core = suiting
    core.free()
  }

  async #begin(
    examples: Examples,
    algorithm: Algorithm,
    settings: StepOptions,
    seed: bigint,
  ): Promise<{ readonly steps: Steps; free(): void }> {
    const core = this.#open()
    try {
      if (core instanceof FannModel) {
        const rows = fannRowsOf(core, examples)
        return { steps: fannSteps(core, rows, algorithm, settings, seed), free: () => undefined }
      }
      const data: Dataset = datasetOf(await this.#engines.neural(), core, examples)
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
    } catch (thrown) {
      throw toSynapticError(thrown)
    }
  }

  /** The same network with another loss. */
  async #changeLoss(loss: Loss): Promise<void> {
    const core = this.#open()
    if (endsOf(core).loss === loss) return
    if (core instanceof FannModel) {
      const message = 'a network of FANN makes the square error small, no other loss'
      throw new SynapticError('option-invalid', message, 'choose an errorFunction instead')
    }
    const { Network: Layers } = await this.#engines.neural()
    this.#do(() => {
      const model = JSON.parse(new TextDecoder().decode(core.toModel()))
      model.specification.loss = loss
      const bytes = new TextEncoder().encode(JSON.stringify(model))
      this.#core = Layers.fromModel(bytes)
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
  return {
    async create(options) {
      const seed = seedOf(options.seed)
      if (!isOfFann(options)) {
        const specification = specificationFor(options)
        const neural = await engines.neural()
        return new Network(
          engines,
          coded(() => neural.Network.create(specification, seed)),
        )
      }
      const plan = planFor(options)
      const [neural, fann] = [await engines.neural(), await engines.fann()]
      const make = (): FannModel => new FannModel(neural, makeFann(fann, plan, seed))
      return new Network(engines, coded(make))
    },
    async load(model) {
      const bytes = typeof model === 'string' ? new TextEncoder().encode(model) : model
      try {
        return new Network(engines, await openNetwork(engines, new Uint8Array(bytes)))
      } catch (thrown) {
        throw toSynapticError(thrown)
      }
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

/** After how many epochs a training ends, unless it does so by itself. */
function lastEpoch(algorithm: Algorithm, epochs: number | undefined): number {
  if (algorithm !== 'cascade') return epochs ?? EPOCHS_DEFAULT
  if (epochs === undefined) return Number.POSITIVE_INFINITY
  const message = 'a cascade ends by itself, not after a number of epochs'
  throw new SynapticError('option-invalid', message, 'use maxNeurons')
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
