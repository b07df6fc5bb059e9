// The networks that are measured: shapes, weights and inputs, the same for every engine.
//
// Canonical order of the parameters, layer by layer: the kernel row by row, then the bias.
// Kernels: dense `[in][units]`, conv2d `[down][across][channels][filters]`, lstm
// `[in + units][4 x units]` with the gates input, forget, cell, output. Images are channels last.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from '../../npm/scripts/lib/paths.mjs'
import { forward } from './reference.mjs'

/** The published split of the digits: 80 % to train with. */
const DIGITS_TRAINING = 1437
const DIGIT_SIDE = 8
const IMAGE_SIDE = 28
const GREY_MAX = 16
/** One batch: tfjs-cpu needs seconds for it. */
const IMAGES = 32
const SEED = 2026

const product = (sizes) => sizes.reduce((a, b) => a * b, 1)
const dense = (inputs, units, activation) => ({
  type: 'dense',
  kernel: [inputs, units],
  activation,
})
const conv = (size, channels, filters) => ({
  type: 'conv2d',
  kernel: [size, size, channels, filters],
  activation: 'relu',
})
const pool = { type: 'max-pool2d', window: 2 }

const layersOfImage = (last) => [
  conv(5, 1, 16),
  pool,
  conv(3, 16, 32),
  pool,
  { type: 'flatten' },
  dense(800, 56, 'relu'),
  dense(56, 10, last),
]

/** Name to network. `data` is what it is trained with, `count` how many of it there are. */
const NETWORKS = {
  mlp: { inputs: [64], layers: [dense(64, 128, 'relu'), dense(128, 32, 'linear')] },
  // libfann has no relu, brain.js not two activations: both know this one.
  sigmoid: { inputs: [64], layers: [dense(64, 128, 'sigmoid'), dense(128, 32, 'sigmoid')] },
  wide: { inputs: [784], layers: [dense(784, 128, 'relu'), dense(128, 10, 'linear')] },
  cnn: { inputs: [IMAGE_SIDE, IMAGE_SIDE, 1], layers: layersOfImage('linear') },
  lstm: {
    inputs: [32, 16],
    layers: [{ type: 'lstm', kernel: [16 + 64, 4 * 64], units: 64 }, dense(64, 10, 'linear')],
  },
  digits: {
    inputs: [64],
    layers: [dense(64, 128, 'relu'), dense(128, 10, 'softmax')],
    data: digits,
  },
  images: { inputs: [IMAGE_SIDE, IMAGE_SIDE, 1], layers: layersOfImage('softmax'), data: images },
  tiny: {
    inputs: [2],
    layers: [dense(2, 4, 'sigmoid'), dense(4, 2, 'sigmoid')],
    count: 1000,
  },
}

const parametersOfLayer = ({ kernel }) => (kernel ? product(kernel) + kernel.at(-1) : 0)

/** Parameters of one network of this name. */
export const parameterCount = (name) =>
  NETWORKS[name].layers.map(parametersOfLayer).reduce((a, b) => a + b, 0)

/**
 * Writes everything an engine needs to know of a network into a folder: `network.json`,
 * `sizes.txt` (for the C program), `weights.f32`, `inputs.f32`, and for training `data.csv`,
 * `training.f32`, `training.u32`, `test.f32`, `test.u32`. Numbers are little-endian.
 * @returns what was written, and as `expected` the outputs that every engine must give
 */
export function writeNetwork(name, rows, folder) {
  const { inputs, layers, count = 1, data } = NETWORKS[name]
  const random = mulberry32(SEED)
  const drawn = Array.from({ length: count }, () => drawWeights(layers, random))
  const weights = Float32Array.from(drawn.flat())
  const read = data?.()
  const total = count > 1 ? count : rows
  const numbers = read
    ? read.test.values.slice(0, rows * product(inputs))
    : Float32Array.from({ length: total * product(inputs) }, () => random() * 2 - 1)
  mkdirSync(folder, { recursive: true })
  const write = (file, content) => writeFileSync(join(folder, file), content)
  write('network.json', JSON.stringify({ name, rows, count, inputs, layers }))
  write(
    'sizes.txt',
    `${[...inputs, ...layers.map(({ kernel }) => kernel?.at(-1) ?? 0)].join(' ')}\n`,
  )
  write('weights.f32', weights)
  write('inputs.f32', numbers)
  if (read) writeData(read, write)
  const written = { name, rows, count, inputs, layers, weights }
  return { written, expected: forward(written, weights, numbers) }
}

function writeData({ training, test }, write) {
  for (const [name, { values, labels }] of Object.entries({ training, test })) {
    write(`${name}.f32`, values)
    write(`${name}.u32`, labels)
  }
  const columns = training.values.length / training.labels.length
  const lines = Array.from(training.labels, (label, row) =>
    [...training.values.subarray(row * columns, (row + 1) * columns), label].join(','),
  )
  write('data.csv', `${lines.join('\n')}\n`)
}

/** Glorot and Bengio 2010, formula 16; small biases, so that a forgotten one is seen. */
function drawWeights(layers, random) {
  return layers.flatMap(({ kernel }) => {
    if (!kernel) return []
    const inputs = product(kernel.slice(0, -1))
    const bound = Math.sqrt(6 / (inputs + kernel.at(-1)))
    const draw = (length, scale) => Array.from({ length }, () => (random() * 2 - 1) * scale)
    return [...draw(product(kernel), bound), ...draw(kernel.at(-1), 0.1)]
  })
}

/** Digits with grey values from 0 to 1, in one fixed order, the last fifth to test with. */
function digits() {
  const lines = readFileSync(join(ROOT, 'data', 'digits.csv'), 'utf8')
    .trim()
    .split('\n')
  const random = mulberry32(SEED)
  for (let last = lines.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1))
    ;[lines[last], lines[other]] = [lines[other], lines[last]]
  }
  const table = lines.map((line) => line.split(',').map(Number))
  const part = (rows) => ({
    values: Float32Array.from(rows.flatMap((row) => row.slice(0, -1).map((v) => v / GREY_MAX))),
    labels: Uint32Array.from(rows, (row) => row.at(-1)),
  })
  return {
    training: part(table.slice(0, DIGITS_TRAINING)),
    test: part(table.slice(DIGITS_TRAINING)),
  }
}

/** Digits enlarged threefold into images of 28 x 28; as many to test with as to train with. */
function images() {
  const { training } = digits()
  const part = (from) => ({
    values: Float32Array.from({ length: IMAGES * IMAGE_SIDE ** 2 }, (_, index) => {
      const row = from + Math.floor(index / IMAGE_SIDE ** 2)
      const [y, x] = [Math.floor((index % IMAGE_SIDE ** 2) / IMAGE_SIDE), index % IMAGE_SIDE]
      const [down, across] = [y, x].map((at) => Math.floor((at - 2) / 3))
      const inside = [down, across].every((at) => at >= 0 && at < DIGIT_SIDE)
      return inside ? training.values[(row * DIGIT_SIDE + down) * DIGIT_SIDE + across] : 0
    }),
    labels: training.labels.slice(from, from + IMAGES),
  })
  return { training: part(0), test: part(IMAGES) }
}

/** Numbers from 0 to 1 with 32 bits of state: mulberry32 (T. Ettinger, public domain). */
function mulberry32(seed) {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
