/**
 * Each layer as operators of ONNX (https://onnx.ai/onnx/operators).
 */
import type { Sizes } from '../../training/shapes.js'
import type { Activation, Extent, Layer } from '../../wasm.js'
import { extentOf } from '../tensors.js'
import { attention } from './attention.js'
import type { Builder, Order, Value } from './builder.js'
import { constantOf, linear, type Place, reshaped } from './place.js'
import { type Attribute, INT64 } from './proto.js'
import { recurrent } from './recurrent.js'

type Dense = Extract<Layer, { readonly units: number; readonly activation: Activation }>
type Convolution = Extract<Layer, { readonly kernel: Extent }>
type Pool = Extract<Layer, { readonly window: Extent }>
type Position = Extract<Layer, { readonly type: 'position' }>
type Join = Extract<Layer, { readonly type: 'add' | 'gate' | 'concat' }>

/** What keeps quotients of norms finite, as in the core. */
const EPSILON = 1e-5

/** What follows from a layer. */
export function added(layer: Layer, place: Place): Value {
  const { builder, from, sizes } = place
  switch (layer.type) {
    case undefined:
    case 'dense':
      return dense(layer, place)
    case 'conv1d':
    case 'conv2d':
      return convolution(layer, place)
    case 'max-pool1d':
    case 'max-pool2d':
    case 'average-pool1d':
    case 'average-pool2d':
      return pool(layer, place)
    case 'batch-norm':
      return batchNorm(place)
    case 'layer-norm':
      return layerNorm(place)
    case 'dropout':
      return from
    case 'embedding':
      return embedding(place)
    case 'position':
      return position(layer, place)
    case 'rnn':
    case 'lstm':
    case 'gru':
      return recurrent(layer, place)
    case 'attention':
      return attention(layer, place)
    case 'flatten':
    case 'reshape':
      return { sizes, names: { last: reshaped(builder, builder.lying(from, 'last'), sizes) } }
    case 'activation':
      return activated(builder, from, layer.activation)
    default:
      return join(layer, place)
  }
}

function dense(layer: Dense, place: Place): Value {
  const { builder, from, sizes, parameter } = place
  const input = builder.lying(from, 'last')
  const weights = (): string[] => {
    return ['weight', 'bias'].map((name) => constantOf(builder, parameter, name))
  }
  // `Gemm` takes matrices only; what has positions is multiplied at each.
  const sums =
    sizes.length === 1
      ? builder.node('Gemm', [input, ...weights()], { transB: 1 })
      : linear(place, input, '')
  return activated(builder, { sizes, names: { last: sums } }, layer.activation)
}

const OPERATORS: Readonly<Record<Exclude<Activation, 'linear' | 'gelu'>, string>> = {
  relu: 'Relu',
  tanh: 'Tanh',
  sigmoid: 'Sigmoid',
  softmax: 'Softmax',
  'leaky-relu': 'LeakyRelu',
  elu: 'Elu',
  softplus: 'Softplus',
}

function activated(builder: Builder, value: Value, activation: Activation | undefined): Value {
  if (activation === undefined || activation === 'linear') return value
  const order = builder.orderOf(value)
  const input = builder.lying(value, order)
  if (activation === 'gelu') return { sizes: value.sizes, names: { [order]: gelu(builder, input) } }
  const attributes: Record<string, Attribute> = {}
  if (activation === 'softmax') attributes.axis = order === 'last' ? value.sizes.length : 1
  if (activation === 'leaky-relu') attributes.alpha = { real: 0.01 }
  if (activation === 'elu') attributes.alpha = { real: 1 }
  const name = builder.node(OPERATORS[activation], [input], attributes)
  return { sizes: value.sizes, names: { [order]: name } }
}

/** `x / 2 * (1 + erf(x / sqrt(2)))`; an operator of its own came with opset 20 only. */
function gelu(builder: Builder, input: string): string {
  const constant = (name: string, number: number): string =>
    builder.constant(name, [], Float32Array.of(number))
  const error = builder.node('Erf', [
    builder.node('Mul', [input, constant('rootOfHalf', Math.SQRT1_2)]),
  ])
  const share = builder.node('Add', [error, constant('one', 1)])
  return builder.node('Mul', [builder.node('Mul', [input, constant('half', 0.5)]), share])
}

function convolution(layer: Convolution, { builder, from, sizes, parameter }: Place): Value {
  const image = layer.type === 'conv2d'
  const at = (extent: Extent): number[] => extentOf(extent, image)
  const kernel = at(layer.kernel)
  const strides = at(layer.stride ?? 1)
  const dilations = at(layer.dilation ?? 1)
  const borders = kernel.map((size, axis) => {
    if (layer.padding !== 'same') return [0, 0]
    const reach = (size - 1) * (dilations[axis] ?? 1) + 1
    const windows = ((sizes[axis] ?? 1) - 1) * (strides[axis] ?? 1) + reach
    const all = Math.max(windows - (from.sizes[axis] ?? 1), 0)
    return [Math.floor(all / 2), Math.ceil(all / 2)]
  })
  const pads = [0, 1].flatMap((side) => borders.map((border) => border[side] ?? 0))
  const weights = ['weight', 'bias'].map((name) => constantOf(builder, parameter, name))
  const name = builder.node('Conv', [builder.lying(from, 'first'), ...weights], {
    ...{ kernel_shape: kernel, strides, dilations, pads },
    group: layer.groups ?? 1,
  })
  return activated(builder, { sizes, names: { first: name } }, layer.activation)
}

function pool(layer: Pool, { builder, from, sizes }: Place): Value {
  const image = layer.type.endsWith('2d')
  const name = builder.node(
    layer.type.startsWith('max') ? 'MaxPool' : 'AveragePool',
    [builder.lying(from, 'first')],
    {
      kernel_shape: extentOf(layer.window, image),
      strides: extentOf(layer.stride ?? layer.window, image),
    },
  )
  return { sizes, names: { first: name } }
}

function batchNorm({ builder, from, sizes, parameter }: Place): Value {
  const constants = ['weight', 'bias', 'running_mean'].map((name) => {
    return constantOf(builder, parameter, name)
  })
  const { shape, numbers } = parameter('running_var')
  // A variance below 0, which only foreign weights have, counts as 0 in the core.
  const variance = numbers.map((number) => Math.max(number, 0))
  const inputs = [...constants, builder.constant('running_var', shape, variance)]
  const name = builder.node('BatchNormalization', [builder.lying(from, 'first'), ...inputs], {
    epsilon: { real: EPSILON },
  })
  return { sizes, names: { first: name } }
}

function layerNorm({ builder, from, sizes, parameter }: Place): Value {
  const weights = ['weight', 'bias'].map((name) => constantOf(builder, parameter, name))
  const name = builder.node('LayerNormalization', [builder.lying(from, 'last'), ...weights], {
    axis: sizes.length,
    epsilon: { real: EPSILON },
  })
  return { sizes, names: { last: name } }
}

function embedding({ builder, from, sizes, parameter }: Place): Value {
  const words = builder.node('Cast', [builder.lying(from, 'last')], { to: INT64 })
  const table = constantOf(builder, parameter, 'weight')
  return { sizes, names: { last: builder.node('Gather', [table, words], { axis: 0 }) } }
}

function position(layer: Position, { builder, from, sizes, parameter }: Place): Value {
  const code =
    layer.code === 'learned'
      ? constantOf(builder, parameter, 'weight')
      : builder.constant('code', sizes, sinusoids(sizes))
  return { sizes, names: { last: builder.node('Add', [builder.lying(from, 'last'), code]) } }
}

/** Vaswani et al. 2017, section 3.5. */
function sinusoids([steps = 1, features = 1]: Sizes): Float32Array {
  return Float32Array.from({ length: steps * features }, (_, place) => {
    const [step, feature] = [Math.floor(place / features), place % features]
    const angle = step / 10_000 ** ((feature - (feature % 2)) / features)
    return feature % 2 === 0 ? Math.sin(angle) : Math.cos(angle)
  })
}

function join(layer: Join, { builder, from, joined, sizes }: Place): Value {
  // Other values follow the first; channels are appended where they are.
  const order: Order = builder.orderOf(from)
  const [first = '', ...others] = [from, ...joined].map((value) => builder.lying(value, order))
  const name = ((): string => {
    if (layer.type === 'concat') {
      return builder.node('Concat', [first, ...others], {
        axis: order === 'last' ? sizes.length : 1,
      })
    }
    if (layer.type === 'gate') {
      return builder.node('Mul', [first, builder.node('Sigmoid', others)])
    }
    return others.reduce((sum, other) => builder.node('Add', [sum, other]), first)
  })()
  return { sizes, names: { [order]: name } }
}
