/**
 * What flows between the layers of a specification, and how many parameters each layer has: the
 * same figures as the core's, for tables and for presets, without making the network.
 *
 * Nothing is refused here; whether a specification is sound, the core says when it makes one.
 */
import type { Extent, Layer, Shape, Specification } from '../wasm.js'

/** Sizes from the outermost to the innermost: `[features]`, `[steps, features]`, and so on. */
export type Sizes = readonly number[]

/** The parts of a specification that shapes follow from. */
export type Shaped = Pick<Specification, 'inputs' | 'layers'>

/** A row of the table of layers. */
export interface LayerInfo {
  /** Its name in specifications, such as "conv2d". */
  readonly type: string
  /** Its output for one row of data. */
  readonly output: Sizes
  /** Weights and biases. */
  readonly parameters: number
}

type Sliding = Extract<Layer, { readonly kernel: Extent } | { readonly window: Extent }>
type Recurrent = Extract<Layer, { readonly type: 'lstm' | 'gru' | 'rnn' }>

/** The sizes of a shape. */
export function sizesOf(shape: number | Shape): Sizes {
  return typeof shape === 'number' ? [shape] : shape
}

/** Numbers in one row of this shape. */
export function countOf(shape: number | Shape): number {
  return product(sizesOf(shape))
}

/** A shape as users write it: 64, 32x16, 28x28x1. */
export function shapeText(shape: number | Sizes): string {
  return typeof shape === 'number' ? String(shape) : shape.join('x')
}

/** The sizes of every value: the input, then the output of each layer. */
export function valuesOf({ inputs, layers }: Shaped): Sizes[] {
  const values = [sizesOf(inputs)]
  for (const layer of layers) {
    const joined = 'with' in layer ? [layer.with].flat().map((value) => values[value] ?? []) : []
    values.push(outputOf(layer, values.at(-1) ?? [], joined))
  }
  return values
}

/** Every layer with its output and its parameters. */
export function layersOf(specification: Shaped): LayerInfo[] {
  const values = valuesOf(specification)
  return specification.layers.map((layer, index) => {
    const [from = [], output = []] = values.slice(index)
    return { type: layer.type ?? 'dense', output, parameters: parametersOf(layer, from) }
  })
}

/** Weights and biases of all layers together. */
export function parameterCount(specification: Shaped): number {
  return layersOf(specification).reduce((sum, { parameters }) => sum + parameters, 0)
}

/** Numbers the network gives for one row. */
export function outputCount(specification: Shaped): number {
  return product(layersOf(specification).at(-1)?.output ?? [])
}

function outputOf(layer: Layer, from: Sizes, joined: readonly Sizes[]): Sizes {
  switch (layer.type) {
    case undefined:
    case 'dense':
      return [...from.slice(0, -1), layer.units]
    case 'conv1d':
    case 'conv2d':
    case 'max-pool1d':
    case 'max-pool2d':
    case 'average-pool1d':
    case 'average-pool2d':
      return [...windows(layer, from), 'filters' in layer ? layer.filters : channelsOf(from)]
    case 'embedding':
      return [...from, layer.units]
    case 'rnn':
    case 'lstm':
    case 'gru':
      return recurrentOutput(layer, from)
    case 'flatten':
      return [product(from)]
    case 'reshape':
      return sizesOf(layer.shape)
    case 'concat':
      return [
        ...from.slice(0, -1),
        [from, ...joined].reduce((sum, one) => sum + channelsOf(one), 0),
      ]
    default:
      return from
  }
}

/** How many windows fit in each direction. */
function windows(layer: Sliding, from: Sizes): number[] {
  const at = (extent: Extent, direction: number): number =>
    typeof extent === 'number' ? extent : (extent[direction] ?? 1)
  const slides = 'kernel' in layer
  const window = slides ? layer.kernel : layer.window
  return from.slice(0, -1).map((size, direction) => {
    const stride = at(layer.stride ?? (slides ? 1 : window), direction)
    if (slides && layer.padding === 'same') return Math.ceil(size / stride)
    const dilation = slides ? at(layer.dilation ?? 1, direction) : 1
    const reach = (at(window, direction) - 1) * dilation + 1
    return Math.floor((size - reach) / stride) + 1
  })
}

function recurrentOutput({ units, bidirectional, returns }: Recurrent, from: Sizes): Sizes {
  const features = bidirectional === true ? 2 * units : units
  return returns === 'all' ? [...from.slice(0, -1), features] : [features]
}

function parametersOf(layer: Layer, from: Sizes): number {
  const channels = channelsOf(from)
  switch (layer.type) {
    case undefined:
    case 'dense':
      return dense(channels, layer.units)
    case 'conv1d':
    case 'conv2d':
      return dense((taps(layer) * channels) / (layer.groups ?? 1), layer.filters)
    case 'layer-norm':
      return 2 * channels
    case 'batch-norm':
      // Scale and shift, and the mean and variance seen while training.
      return 4 * channels
    case 'embedding':
      return layer.vocabulary * layer.units
    case 'position':
      return layer.code === 'learned' ? product(from) : 0
    case 'rnn':
    case 'lstm':
    case 'gru':
      return recurrentParameters(layer, channels)
    case 'attention':
      return 4 * dense(channels, channels)
    default:
      return 0
  }
}

function taps({ type, kernel }: Extract<Layer, { readonly kernel: Extent }>): number {
  if (typeof kernel !== 'number') return product(kernel)
  return type === 'conv2d' ? kernel * kernel : kernel
}

function recurrentParameters({ type, units, bidirectional }: Recurrent, channels: number): number {
  const gates = { rnn: 1, lstm: 4, gru: 3 }[type]
  // The candidate of a GRU has a bias of its own inside the reset gate's product.
  const own = type === 'gru' ? units : 0
  return (dense(channels + units, gates * units) + own) * (bidirectional === true ? 2 : 1)
}

/** A matrix and a bias. */
function dense(inputs: number, units: number): number {
  return (inputs + 1) * units
}

function channelsOf(sizes: Sizes): number {
  return sizes.at(-1) ?? 0
}

function product(sizes: Sizes): number {
  return sizes.reduce((all, size) => all * size, 1)
}
