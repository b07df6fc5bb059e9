/**
 * The parameters of a network by name, and where their numbers lie among the canonical ones.
 *
 * The canonical order, which is hashed and exchanged, is that of layers, of tensors within a layer,
 * and has matrices as `[in][out]`. Elsewhere `[out, in]` is usual, and convolutions are
 * `[out, in / groups, taps..]`: names and shapes here are PyTorch's where it has the same tensor.
 * Layers are counted from 0. The list is in canonical order.
 */
import { type Shaped, type Sizes, sizesOf, valuesOf } from '../training/shapes.js'
import type { Extent, Layer } from '../wasm.js'

/** A tensor of parameters. */
export interface TensorInfo {
  /** Such as "layers.0.weight". */
  readonly name: string
  /** From the outermost to the innermost. */
  readonly shape: Sizes
  /** How it lies among the canonical numbers. */
  readonly order: Order
}

/**
 * As it is; or a matrix `[in][out]` there and `[out, in]` here; or taps, channels, filters there
 * and filters, channels, taps here.
 */
type Order = 'same' | 'matrix' | 'filters'

type Part = readonly [name: string, shape: Sizes, order?: Order]

/** Every tensor of a network whose specification the core accepts. */
export function tensorsOf(specification: Shaped): TensorInfo[] {
  const values = valuesOf(specification)
  return specification.layers.flatMap((layer, index) =>
    partsOf(layer, values[index] ?? sizesOf(specification.inputs)).map(
      ([name, shape, order = 'same']) => ({ name: `layers.${index}.${name}`, shape, order }),
    ),
  )
}

/** Numbers of a tensor. */
export function lengthOf({ shape }: { readonly shape: Sizes }): number {
  return shape.reduce((all, size) => all * size, 1)
}

/** The numbers of one tensor in the order of its shape, from its canonical numbers. */
export function fromCanonical(tensor: TensorInfo, numbers: Float32Array): Float32Array {
  const places = placesOf(tensor)
  return places === undefined ? numbers : numbers.map((_, place) => numbers[places(place)] ?? 0)
}

/** The canonical numbers of one tensor, written to `to`. */
export function toCanonical(tensor: TensorInfo, numbers: Float32Array, to: Float32Array): void {
  const places = placesOf(tensor)
  numbers.forEach((number, place) => {
    to[places?.(place) ?? place] = number
  })
}

/** The canonical place of each place here; undefined if they are the same. */
function placesOf({ shape, order }: TensorInfo): ((place: number) => number) | undefined {
  const [out = 1, inner = 1, ...taps] = shape
  if (order === 'same') return undefined
  if (order === 'matrix') {
    return (place) => (place % inner) * out + Math.floor(place / inner)
  }
  const count = taps.reduce((all, size) => all * size, 1)
  return (place) => {
    const [filter, rest] = [Math.floor(place / (inner * count)), place % (inner * count)]
    return ((rest % count) * inner + Math.floor(rest / count)) * out + filter
  }
}

function partsOf(layer: Layer, from: Sizes): Part[] {
  const channels = from.at(-1) ?? 0
  switch (layer.type) {
    case undefined:
    case 'dense':
      return linear('', layer.units, channels)
    case 'conv1d':
    case 'conv2d': {
      const taps = extentOf(layer.kernel, layer.type === 'conv2d')
      const shape = [layer.filters, channels / (layer.groups ?? 1), ...taps]
      return [
        ['weight', shape, 'filters'],
        ['bias', [layer.filters]],
      ]
    }
    case 'layer-norm':
      return vectors(['weight', 'bias'], channels)
    case 'batch-norm':
      return vectors(['weight', 'bias', 'running_mean', 'running_var'], channels)
    case 'embedding':
      return [['weight', [layer.vocabulary, layer.units]]]
    case 'position':
      return layer.code === 'learned' ? [['weight', from]] : []
    case 'rnn':
    case 'lstm':
    case 'gru':
      return recurrent(layer, channels)
    case 'attention':
      return ['query.', 'key.', 'value.', 'output.'].flatMap((name) =>
        linear(name, channels, channels),
      )
    default:
      return []
  }
}

/** A size for each direction. */
export function extentOf(extent: Extent, image: boolean): number[] {
  if (typeof extent !== 'number') return [...extent]
  return image ? [extent, extent] : [extent]
}

function linear(name: string, out: number, inputs: number): Part[] {
  return [
    [`${name}weight`, [out, inputs], 'matrix'],
    [`${name}bias`, [out]],
  ]
}

function vectors(names: readonly string[], length: number): Part[] {
  return names.map((name) => [name, [length]])
}

/** Sums of a step for each unit. */
export const GATES = { rnn: 1, lstm: 4, gru: 3 } as const

function recurrent(
  { type, units, bidirectional }: Extract<Layer, { readonly type: 'rnn' | 'lstm' | 'gru' }>,
  inputs: number,
): Part[] {
  const sums = GATES[type] * units
  const directions = bidirectional === true ? ['', '_reverse'] : ['']
  return directions.flatMap((direction): Part[] => [
    [`weight_ih${direction}`, [sums, inputs], 'matrix'],
    [`weight_hh${direction}`, [sums, units], 'matrix'],
    [`bias${direction}`, [sums]],
    // The candidate of a GRU has a bias of its own inside the reset gate's product.
    ...(type === 'gru' ? vectors([`bias_hn${direction}`], units) : []),
  ])
}
