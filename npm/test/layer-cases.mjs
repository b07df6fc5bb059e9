// One small network for each kind of layer and its options: `[name, specification]`.

import { valuesOf } from '../dist/training/shapes.js'

/** A network ends in one row of numbers. */
function network(inputs, ...layers) {
  const flat = valuesOf({ inputs, layers }).at(-1).length === 1
  return { inputs, layers: flat ? layers : [...layers, { type: 'flatten' }], loss: 'mse' }
}

const dense = (units, activation = 'linear') => ({ units, activation })

const ACTIVATIONS = [
  'relu',
  'gelu',
  'leaky-relu',
  'elu',
  'softplus',
  'tanh',
  'sigmoid',
  'linear',
  'softmax',
]

const activations = ACTIVATIONS.flatMap((activation) => [
  [`dense ${activation}`, network(5, dense(6, activation), dense(3))],
  [`${activation} after pixels`, network([3, 4, 2], { type: 'activation', activation })],
])

const IMAGE = [7, 6, 4]
const conv2d = (options) => network(IMAGE, { type: 'conv2d', filters: 4, kernel: 3, ...options })
const convolutions = [
  ['conv2d', conv2d({})],
  ['conv2d same', conv2d({ padding: 'same', activation: 'tanh' })],
  ['conv2d same, even kernel', conv2d({ padding: 'same', kernel: [4, 2] })],
  ['conv2d stride', conv2d({ stride: 2 })],
  ['conv2d same, stride', conv2d({ padding: 'same', stride: [2, 3], kernel: [3, 4] })],
  ['conv2d dilation', conv2d({ dilation: [2, 1], kernel: [3, 2] })],
  ['conv2d groups', conv2d({ groups: 2 })],
  ['conv2d depthwise', conv2d({ groups: 4, filters: 8 })],
  ['conv2d softmax', conv2d({ activation: 'softmax' })],
  ['conv1d', network([9, 4], { type: 'conv1d', filters: 5, kernel: 3, activation: 'elu' })],
  [
    'conv1d same, stride, groups, dilation',
    network([9, 4], {
      ...{ type: 'conv1d', filters: 6, kernel: 4, padding: 'same' },
      ...{ stride: 2, groups: 2, dilation: 2 },
    }),
  ],
]

const pools = ['max', 'average'].flatMap((kind) => [
  [`${kind}-pool2d`, network(IMAGE, { type: `${kind}-pool2d`, window: 2 })],
  [
    `${kind}-pool2d overlapping`,
    network(IMAGE, { type: `${kind}-pool2d`, window: [3, 2], stride: 1 }),
  ],
  [`${kind}-pool1d`, network([9, 3], { type: `${kind}-pool1d`, window: 2, stride: 3 })],
])

const norms = ['batch-norm', 'layer-norm'].flatMap((type) =>
  [6, [4, 3], [3, 4, 2]].map((inputs) => [`${type} of ${inputs}`, network(inputs, { type })]),
)

const recurrent = ['rnn', 'lstm', 'gru'].flatMap((type) =>
  [false, true].flatMap((bidirectional) =>
    ['last', 'all'].map((returns) => [
      `${type} ${bidirectional ? 'both ways' : 'forwards'}, ${returns}`,
      network([6, 3], { type, units: 4, bidirectional, returns }),
    ]),
  ),
)

const words = { type: 'embedding', vocabulary: 11, units: 4 }

const others = [
  ['embedding', network(5, words)],
  ['position', network(5, words, { type: 'position' })],
  ['position, odd features', network([4, 5], { type: 'position' })],
  ['position learned', network([5, 4], { type: 'position', code: 'learned' })],
  ['attention', network([5, 6], { type: 'attention' })],
  ['attention of heads', network([5, 6], { type: 'attention', heads: 3 })],
  ['attention causal', network([5, 6], { type: 'attention', heads: 2, causal: true })],
  ['dense at steps', network([5, 6], dense(3, 'tanh'))],
  ['dense at steps, softmax', network([5, 6], dense(3, 'softmax'))],
  ['flatten of steps', network([5, 2], { type: 'flatten' }, dense(3))],
  ['flatten of pixels', network(IMAGE, conv2d({}).layers[0], { type: 'flatten' }, dense(3))],
  ['reshape', network(12, { type: 'reshape', shape: [2, 3, 2] }, conv2d({ kernel: 2 }).layers[0])],
  [
    'reshape of pixels',
    network(IMAGE, conv2d({}).layers[0], { type: 'reshape', shape: [10, 8] }, dense(2)),
  ],
  ['dropout', network(4, { type: 'dropout', ratePerMille: 500 })],
  ['dropout between', network(4, dense(3), { type: 'dropout', ratePerMille: 500 }, dense(2))],
  ['add', network(4, dense(4, 'relu'), dense(4), { type: 'add', with: [0, 1] })],
  [
    'add of pixels',
    network(IMAGE, conv2d({ padding: 'same' }).layers[0], { type: 'add', with: 0 }),
  ],
  ['gate', network(4, dense(4, 'relu'), { type: 'gate', with: 0 })],
  ['concat', network([4, 2], dense(3, 'relu'), dense(2), { type: 'concat', with: [0, 1] })],
  [
    'concat of pixels',
    network(
      IMAGE,
      conv2d({ padding: 'same' }).layers[0],
      conv2d({ padding: 'same', kernel: 1 }).layers[0],
      { type: 'concat', with: [1, 0] },
    ),
  ],
  [
    'batch norm between convolutions',
    network(IMAGE, conv2d({}).layers[0], { type: 'batch-norm' }, conv2d({ kernel: 2 }).layers[0]),
  ],
]

/** All of them. */
export const LAYER_CASES = [
  ...activations,
  ...convolutions,
  ...pools,
  ...norms,
  ...recurrent,
  ...others,
]
