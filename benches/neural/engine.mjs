// Our engine as a contestant. The only file here that knows its interface.

/** Spelled here rather than imported: the first inference of a process pays for every module. */
const LIBRARY = new URL('../../dist/lib/', import.meta.url)

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

const library = (path) => import(new URL(path, LIBRARY).href)

export async function open() {
  const { loadFann, loadNeural } = await library('wasm.js')
  const { networkClass } = await library('neural/network.js')
  const neural = await loadNeural()
  const Network = networkClass({ neural: async () => neural, fann: loadFann })
  let first = null
  return {
    load(folder) {
      if (folder.count > 1) return population(neural, folder)
      return folder.rows > 1 ? batch(neural, folder) : single(Network, folder)
    },
    /** As a program makes many of one kind: one of its specification, then clones of that. */
    async create(folder) {
      first ??= await Network.create(specificationOf(folder))
      return clone(first, folder)
    },
  }
}

function clone(first, { weights, numbers }) {
  const network = first.clone()
  network.setWeights(weights)
  return { run: () => network.run(numbers) }
}

function specificationOf({ inputs, layers }) {
  return {
    inputs: inputs.length === 1 ? inputs[0] : inputs,
    layers: layers.map((layer) => layerKinds[layer.type](layer)),
    loss: layers.at(-1).activation === 'softmax' ? 'cross-entropy' : 'mse',
  }
}

/** One row per call, through the class that programs use. */
async function single(Network, folder) {
  const network = await Network.create(specificationOf(folder))
  const { numbers, layers, weights } = folder
  network.setWeights(weights)
  const run = () => network.run(numbers)
  const output = new Float32Array(layers.at(-1).kernel.at(-1))
  const runInto = () => network.run(numbers, output)
  /** One more of the kind, whose plan is known, in memory that was used before. */
  const again = () => {
    const one = network.clone()
    one.setWeights(weights)
    one.free()
  }
  return { run, outputs: run, runInto, again }
}

/** Many rows per call, and training, through the core. */
function batch(neural, folder) {
  const network = neural.Network.create(specificationOf(folder), 1n)
  const { numbers, rows } = folder
  network.setWeights(folder.weights)
  const run = () => network.runBatch(numbers, rows)
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
