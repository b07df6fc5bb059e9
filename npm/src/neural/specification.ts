/** From what programs give to a specification. */
import { SynapticError, usageError } from '../errors.js'
import { PRESET_NAMES, type PresetName, presetSpecification } from '../presets.js'
import { outputActivation, specificationOf } from '../training/specification.js'
import type { Activation, Layer, Loss, Shape, Specification } from '../wasm.js'
import { onlyKnown } from './arguments.js'
import type { FannActivation } from './fann/activations.js'

/** A dense network by the sizes of its layers. */
export interface DenseOptions {
  /** Inputs, hidden layers, outputs: `[2, 4, 1]`. */
  readonly layers: readonly number[]
  /** Of the hidden layers; "relu" by default. */
  readonly activation?: Activation | undefined
  /** Of the last layer; what the loss needs by default, or else "linear". */
  readonly outputActivation?: Activation | undefined
}

/**
 * A network of FANN: every neuron has its own connections. One of `kind`, `shortcut`,
 * `connectionRate`, `steepness` or an activation that only FANN has makes a network of FANN.
 */
export interface FannCreateOptions {
  readonly kind?: 'fann' | undefined
  /** Inputs, hidden layers, outputs; a cascade begins without hidden layers: `[2, 1]`. */
  readonly layers: readonly number[]
  /** Of the hidden layers; "sigmoid-symmetric" by default. "tanh" and "relu" are known too. */
  readonly activation?: FannActivation | 'tanh' | 'relu' | 'leaky-relu' | undefined
  /** Of the outputs; "sigmoid-symmetric" by default. */
  readonly outputActivation?: FannActivation | 'tanh' | 'relu' | 'leaky-relu' | undefined
  /**
   * What the sums of hidden neurons are multiplied by, above 0, at most 100. By default what makes
   * a name that layers have mean the same (sigmoid 0.5, tanh, linear and relu 1), else 0.5.
   */
  readonly steepness?: number | undefined
  /** As `steepness`, of the outputs. */
  readonly outputSteepness?: number | undefined
  /** The share of the possible connections that are made, above 0; 1 by default. */
  readonly connectionRate?: number | undefined
  /** Whether neurons take all layers before, not only the last one; false by default. */
  readonly shortcut?: boolean | undefined
  /** Weights begin between minus this and this: above 0, at most 100; 0.1 by default. */
  readonly weightRange?: number | undefined
}

/** A network layer by layer. */
export interface LayersOptions {
  /** What it takes per row. */
  readonly inputs: number | Shape
  readonly layers: readonly Layer[]
}

/** A network by the name of an architecture. */
export interface ArchitectureOptions {
  readonly architecture: PresetName
  /** What it takes per row; each architecture has a default. */
  readonly inputs?: number | Shape | undefined
  readonly outputs?: number | undefined
}

/** A network to be made. */
export type CreateOptions =
  | (LayeredOptions & LossOption & SeedOption)
  | (FannCreateOptions & SeedOption)

/** A network of layers, in one of the ways to say which. */
export type LayeredOptions = DenseOptions | LayersOptions | ArchitectureOptions

/** What to learn for. */
export interface LossOption {
  /**
   * What training makes small. By default it goes with the last activation: "cross-entropy" with
   * softmax, "bce" with sigmoid, "mse" with any other.
   */
  readonly loss?: Loss | undefined
}

/** Where to begin. */
export interface SeedOption {
  /** Where the first weights come from; 0 by default. */
  readonly seed?: number | bigint | undefined
  /** Allows 16777216 parameters instead of 1048576, which no run would take; false by default. */
  readonly force?: boolean | undefined
}

/** The specification of a network to be made. */
export function specificationFor(options: LayeredOptions & LossOption): Specification {
  checkNames(options)
  if ('architecture' in options) {
    const { architecture, inputs, outputs, loss } = options
    if (!PRESET_NAMES.includes(architecture)) {
      throw usageError(
        `there is no architecture "${architecture}"`,
        `use ${PRESET_NAMES.join(', ')}`,
      )
    }
    return presetSpecification(architecture, { inputs, outputs, loss })
  }
  if (!Array.isArray(options.layers)) {
    throw usageError('a network needs layers or an architecture', 'give { layers: [2, 4, 1] }')
  }
  if ('inputs' in options) {
    const { inputs, layers, loss } = options
    return { inputs, layers, loss: loss ?? lossAfter(layers.at(-1)) }
  }
  return denseSpecification(options)
}

/** The properties of each way to say which network, besides those of all of them. */
const WAYS = {
  architecture: ['architecture', 'inputs', 'outputs'],
  inputs: ['inputs', 'layers'],
  layers: ['layers', 'activation', 'outputActivation'],
} as const

const ALWAYS = ['loss', 'seed', 'force']

/** Those of a network of FANN, which one of them makes of it. */
const FANN = ['kind', 'steepness', 'outputSteepness', 'connectionRate', 'shortcut', 'weightRange']

/** Refuses what has no effect: a name that is mistyped, or one of another way. */
function checkNames(options: object): void {
  const way = (['architecture', 'inputs', 'layers'] as const).find((name) => name in options)
  const all = [...new Set([...Object.values(WAYS).flat(), ...ALWAYS, ...FANN])]
  onlyKnown(options, all, 'a new network')
  if (way === undefined) return
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || [...WAYS[way], ...ALWAYS].includes(name)) continue
    const message = `"${name}" means nothing beside "${way}"`
    throw new SynapticError('option-invalid', message, 'leave it out')
  }
}

function denseSpecification(options: DenseOptions & { loss?: Loss | undefined }): Specification {
  const { layers: sizes, activation = 'relu', loss } = options
  if (sizes.some((size) => typeof size !== 'number')) {
    throw usageError('layers that are not numbers need inputs', 'give { inputs: 2, layers: [...] }')
  }
  const outputs = sizes.at(-1) ?? 0
  const fitting = loss === undefined ? 'linear' : outputActivation(loss, outputs)
  const last = options.outputActivation ?? fitting
  const made = specificationOf(sizes, activation, loss ?? 'mse')
  const layers = [...made.layers.slice(0, -1), { units: outputs, activation: last }]
  return { ...made, layers, loss: loss ?? lossAfter(layers.at(-1)) }
}

function lossAfter(last: Layer | undefined): Loss {
  const activation = last !== undefined && 'activation' in last ? last.activation : 'linear'
  if (activation === 'softmax') return 'cross-entropy'
  return activation === 'sigmoid' ? 'bce' : 'mse'
}
