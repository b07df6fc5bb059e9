/** What every layer is made of: what it takes, its parameters, and products with them. */
import type { Sizes } from '../../training/shapes.js'
import type { Builder, Value } from './builder.js'

/** A tensor of parameters. */
export interface Parameter {
  readonly shape: Sizes
  readonly numbers: Float32Array
}

/** A layer to be added. */
export interface Place {
  readonly builder: Builder
  /** What it takes. */
  readonly from: Value
  /** Other values that it takes. */
  readonly joined: readonly Value[]
  /** The sizes of what it gives, without the batch. */
  readonly sizes: Sizes
  /** A tensor by its name without that of the layer. */
  parameter(name: string): Parameter
}

/** A value cut in another way; its batch, axis 0, stays. */
export function reshaped(builder: Builder, from: string, sizes: Sizes): string {
  return builder.node('Reshape', [from, builder.wholes('shape', [0, ...sizes])])
}

/** `x W + b` at each position, for weights `[out, in]`. */
export function linear(
  { builder, parameter }: Pick<Place, 'builder' | 'parameter'>,
  from: string,
  name: string,
): string {
  const weight = parameter(`${name}weight`)
  const [out = 1, inputs = 1] = weight.shape
  const turned = Float32Array.from(weight.numbers, (_, at) => {
    return weight.numbers[(at % out) * inputs + Math.floor(at / out)] ?? 0
  })
  const matrix = builder.constant(`${name}weight_transposed`, [inputs, out], turned)
  const product = builder.node('MatMul', [from, matrix])
  return builder.node('Add', [product, constantOf(builder, parameter, `${name}bias`)])
}

/** A parameter as a constant of its own name and shape. */
export function constantOf(builder: Builder, parameter: Place['parameter'], name: string): string {
  const { shape, numbers } = parameter(name)
  return builder.constant(name, shape, numbers)
}
