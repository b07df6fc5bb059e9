// TensorFlow.js, in three variants: `wasm` (a LayersModel on the wasm backend), `matmul` (the same
// backend, called for each dense layer by hand, which is its fastest way) and `cpu` (plain JS).

import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as tf from '@tensorflow/tfjs'
import * as wasm from '@tensorflow/tfjs-backend-wasm'
import { Cannot } from '../neural/cannot.mjs'
import { shareRight } from '../neural/engine.mjs'

const BATCH = 32
const LEARNING_RATE = 1e-3
const DIST = join('node_modules', '@tensorflow', 'tfjs-backend-wasm', 'dist')

export async function open(variant) {
  if (variant === 'cpu') {
    await tf.setBackend('cpu')
  } else {
    wasm.setWasmPaths(join(fileURLToPath(new URL('.', import.meta.url)), DIST, '/'))
    wasm.setThreadsCount(1)
    await tf.setBackend('wasm')
  }
  await tf.ready()
  const load = variant === 'matmul' ? byHand : asModel
  return { load, create: (folder) => load(folder) }
}

const layerKinds = {
  dense: ({ kernel, activation }) => tf.layers.dense({ units: kernel.at(-1), activation }),
  conv2d: ({ kernel, activation }) =>
    tf.layers.conv2d({ filters: kernel.at(-1), kernelSize: kernel.slice(0, 2), activation }),
  'max-pool2d': ({ window }) => tf.layers.maxPooling2d({ poolSize: window }),
  flatten: () => tf.layers.flatten(),
  // The weights are replaced anyway, and the standard start of these takes seconds.
  lstm: ({ units }) =>
    tf.layers.lstm({ units, recurrentActivation: 'sigmoid', recurrentInitializer: 'zeros' }),
}

function asModel(folder) {
  const { inputs, rows, numbers } = folder
  const model = modelOf(folder)
  // A call takes plain numbers, as one of ours does. By default `predict` cuts them into 32 rows.
  const outputs = () =>
    tidily(() => model.predict(tf.tensor(numbers, [rows, ...inputs]), { batchSize: rows }))
  return { run: outputs, outputs, ...training(folder, model) }
}

/**
 * The numbers of a result; all tensors on the way are freed. They leave `tidy` past its result,
 * because it would look at each of them, to see whether it is a tensor.
 */
function tidily(compute) {
  let numbers
  tf.tidy(() => {
    numbers = compute().dataSync()
  })
  return numbers
}

function modelOf({ inputs, layers, weights }) {
  const made = layers.map((layer) => layerKinds[layer.type](layer))
  const model = tf.sequential()
  for (const layer of made) {
    if (model.layers.length === 0) layer.batchInputShape = [null, ...inputs]
    model.add(layer)
  }
  setWeights({ model, layers, weights })
  return model
}

function setWeights({ model, layers, weights }) {
  let at = 0
  const take = (shape) => {
    const from = at
    at += shape.reduce((a, b) => a * b, 1)
    return tf.tensor(weights.slice(from, at), shape)
  }
  tf.tidy(() => {
    for (const [index, { kernel, units }] of layers.entries()) {
      if (!kernel) continue
      // An LSTM has the rows of its inputs and those of its state apart.
      const kernels = units
        ? [take([kernel[0] - units, kernel[1]]), take([units, kernel[1]])]
        : [take(kernel)]
      model.layers[index].setWeights([...kernels, take([kernel.at(-1)])])
    }
  })
}

function training(folder, model) {
  let data
  const prepare = () => {
    const tensors = ({ values, labels }) => ({
      inputs: tf.tensor(values, [labels.length, ...folder.inputs]),
      targets: tf.oneHot(tf.tensor1d(Int32Array.from(labels), 'int32'), 10).toFloat(),
      labels,
    })
    return { training: tensors(folder.training()), test: tensors(folder.test()) }
  }
  return {
    async restart() {
      data ??= prepare()
      setWeights({ model, ...folder })
      model.compile({
        optimizer: tf.train.adam(LEARNING_RATE),
        loss: 'categoricalCrossentropy',
      })
    },
    epoch: () =>
      model.fit(data.training.inputs, data.training.targets, {
        ...{ epochs: 1, batchSize: BATCH, shuffle: true, verbose: 0, yieldEvery: 'never' },
      }),
    accuracy: () =>
      shareRight(
        tidily(() => model.predict(data.test.inputs)),
        data.test.labels,
      ),
  }
}

function byHand({ rows, inputs, layers, weights, numbers }) {
  if (layers.some(({ type }) => type !== 'dense')) throw new Cannot('by hand only dense layers')
  let at = 0
  const take = (shape) => {
    const from = at
    at += shape.reduce((a, b) => a * b, 1)
    return tf.tensor(weights.slice(from, at), shape)
  }
  const dense = layers.map(({ kernel, activation }) => ({
    b: take(kernel),
    bias: take([kernel[1]]),
    activation,
  }))
  const pass = () =>
    dense.reduce(
      (a, layer) => tf.fused.matMul({ a, ...layer }),
      tf.tensor(numbers, [rows, ...inputs]),
    )
  const outputs = () => tidily(pass)
  return { run: outputs, outputs }
}
