// Our engine as a contestant. The only file here that knows its interface.

import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { DIST } from '../../npm/scripts/lib/paths.mjs'

const TRAINING = { batch: 32, learningRate: 1e-3, optimiser: 'adam', shuffle: true }

const layerKinds = {
  dense: ({ kernel, activation }) => ({ units: kernel.at(-1), activation }),
  conv2d: ({ kernel, activation }) => ({
    type: 'conv2d',
    filters: kernel.at(-1),
    kernel: kernel.slice(0, 2),
    activation,
  }),
  'max-pool2d': ({ window }) => ({ type: 'max-pool2d', window }),
  flatten: () => ({ type: 'flatten' }),
  lstm: ({ units }) => ({ type: 'lstm', units }),
}

export async function open() {
  const library = pathToFileURL(join(DIST, 'lib', 'wasm.js'))
  const { loadNeural } = await import(library.href)
  const neural = await loadNeural()
  return {
    load: (folder) => (folder.count > 1 ? population(neural, folder) : single(neural, folder)),
    create(folder) {
      const network = neural.Network.create(specificationOf(folder), 1n)
      const row = folder.numbers
      return { run: () => network.run(row) }
    },
  }
}

function specificationOf({ inputs, layers }) {
  return {
    inputs: inputs.length === 1 ? inputs[0] : inputs,
    layers: layers.map((layer) => layerKinds[layer.type](layer)),
    loss: layers.at(-1).activation === 'softmax' ? 'cross-entropy' : 'mse',
  }
}

function single(neural, folder) {
  const network = neural.Network.create(specificationOf(folder), 1n)
  const { numbers, rows } = folder
  network.setWeights(folder.weights)
  const run = rows === 1 ? () => network.run(numbers) : () => network.runBatch(numbers, rows)
  return { run, outputs: run, ...training(neural, folder, network) }
}

function training(neural, folder, network) {
  let [data, test, options] = [null, null, TRAINING]
  return {
    restart(seed) {
      data ??= neural.Dataset.parse(folder.file('data.csv'), { task: 'classification' })
      test ??= folder.test()
      options = { ...TRAINING, seed: BigInt(seed) }
      network.setWeights(folder.weights)
    },
    epoch: () => network.trainEpoch(data, options),
    accuracy() {
      const outputs = network.runBatch(test.values, test.labels.length)
      return shareRight(outputs, test.labels)
    },
  }
}

function population(neural, folder) {
  const { count, weights, numbers, layers } = folder
  const networks = neural.Population.create(specificationOf(folder), count, 1n)
  const size = weights.length / count
  for (let member = 0; member < count; member += 1) {
    networks.setWeights(member, weights.subarray(member * size, (member + 1) * size))
  }
  const outputs = new Float32Array(count * layers.at(-1).kernel.at(-1))
  const run = () => networks.evaluate(numbers, outputs)
  return {
    run,
    outputs() {
      run()
      return outputs
    },
  }
}

/** Share of the rows whose largest output is that of their class. */
export function shareRight(outputs, labels) {
  const classes = outputs.length / labels.length
  const right = labels.filter((label, row) => {
    const own = outputs.slice(row * classes, (row + 1) * classes)
    return own.indexOf(Math.max(...own)) === label
  })
  return right.length / labels.length
}
