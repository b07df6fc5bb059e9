/** From what programs give to a specification. */
import { usageError } from '../errors.js'
import { PRESET_NAMES, type PresetName, presetSpecification } from '../presets.js'
import { outputActivation, specificationOf } from '../training/specification.js'
import type { Activation, Layer, Loss, Shape, Specification } from '../wasm.js'

/** A dense network by the sizes of its layers. */
export interface DenseOptions {
  /** Inputs, hidden layers, outputs: `[2, 4, 1]`. */
  readonly layers: readonly number[]
  /** Of the hidden layers; "relu" by default. */
  readonly activation?: Activation | undefined
  /** Of the last layer; what the loss needs by default, or else "linear". */
  readonly outputActivation?: Activation | undefined
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
export type CreateOptions = (DenseOptions | LayersOptions | ArchitectureOptions) & {
  /**
   * What training makes small. By default it goes with the last activation: "cross-entropy" with
   * softmax, "bce" with sigmoid, "mse" with any other.
   */
  readonly loss?: Loss | undefined
  /** Where the first weights come from; 0 by default. */
  readonly seed?: number | bigint | undefined
  /** Allows 16777216 parameters instead of 1048576, which no run would take; false by default. */
  readonly force?: boolean | undefined
}

/** The specification of a network to be made. */
export function specificationFor(options: CreateOptions): Specification {
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
