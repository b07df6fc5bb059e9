// Networks of FANN, and FANN's algorithms on networks of layers, by the public class on the
// artifacts of this build. Whether something was learned is told by `run` alone.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { networkClass } from '../dist/neural/network.js'
import { fann, neural } from './artifact.mjs'
import { XOR } from './xor.mjs'

const Network = networkClass({ neural, fann })
const VECTORS = new URL('../../tests/vectors/fann/', import.meta.url)

const SEEDS = Array.from({ length: 30 }, (_, index) => index + 1)

/** Whether the number of ones among so many bits is odd, over -1 and 1. */
function parity(bits) {
  const inputs = Array.from({ length: 2 ** bits }, (_, row) =>
    Array.from({ length: bits }, (_, bit) => ((row >> bit) & 1 ? 1 : -1)),
  )
  const odd = (row) => row.filter((one) => one > 0).length % 2 === 1
  return { inputs, targets: inputs.map((row) => [odd(row) ? 1 : -1]) }
}

/** Two spirals that wind around each other three times (Lang and Witbrock 1988). */
function spirals() {
  const points = Array.from({ length: 194 }, (_, at) => {
    const [point, side] = [at >> 1, at % 2 ? -1 : 1]
    const [angle, radius] = [(point * Math.PI) / 16, (104 - point) / 104]
    return { input: [side * radius * Math.sin(angle), side * radius * Math.cos(angle)], side }
  })
  return { inputs: points.map(({ input }) => input), targets: points.map(({ side }) => [side]) }
}

const wrongRows = (network, { inputs, targets }, middle) =>
  inputs.filter((row, at) => network.run(row)[0] > middle !== targets[at][0] > middle).length

async function trained(network, examples, options) {
  let last
  for await (const epoch of network.train(examples, options)) last = epoch
  return last
}

/** The code of what is thrown, now or later. */
async function codeOf(work) {
  try {
    await work()
  } catch (error) {
    assert.notEqual(error.hint, '', error.message)
    return error.code
  }
}

const layered = (seed) =>
  Network.create({ layers: [2, 8, 1], activation: 'tanh', outputActivation: 'sigmoid', seed })
const ofFann = (seed) =>
  Network.create({ kind: 'fann', layers: [2, 6, 1], steepness: 0.5, weightRange: 1, seed })

/** The documented settings of each algorithm for XOR. */
const SETTINGS = {
  incremental: { learningRate: 0.1 },
  batch: { learningRate: 2 },
  rprop: {},
  quickprop: {},
  sarprop: {},
  sgd: { learningRate: 0.5 },
  nesterov: { learningRate: 0.2 },
  rmsprop: { learningRate: 0.02 },
  adam: { learningRate: 0.05 },
  adamw: { learningRate: 0.05 },
}

for (const [algorithm, options] of Object.entries(SETTINGS)) {
  test(`${algorithm} solves XOR from every seed, as run tells`, async (t) => {
    const epochs = []
    for (const seed of SEEDS) {
      const network = await layered(seed)
      const start = { algorithm, epochs: 1_000, desiredError: 0.02, seed, ...options }
      const { epoch, loss } = await trained(network, XOR, start)
      assert.ok(loss <= 0.02, `seed ${seed}: ${loss}`)
      assert.equal(wrongRows(network, XOR, 0.5), 0, `seed ${seed}`)
      epochs.push(epoch)
      network.free()
    }
    epochs.sort((a, b) => a - b)
    t.diagnostic(`30/30, median ${epochs[15]} epochs`)
  })
}

// Weights whose slope was 0 moved up by ever larger steps, as they do in libfann.
test('what has been learned is not lost by going on', async () => {
  for (const algorithm of ['batch', 'rprop', 'quickprop', 'sarprop']) {
    const network = await layered(1)
    const { loss } = await trained(network, XOR, { algorithm, epochs: 2_000 })
    assert.ok(loss < 0.01, `${algorithm}: ${loss}`)
    assert.equal(wrongRows(network, XOR, 0.5), 0)
  }
})

for (const [algorithm, options] of [
  ['incremental', { errorFunction: 'linear', learningRate: 0.3 }],
  ['batch', { learningRate: 2 }],
  ['rprop', {}],
  ['quickprop', {}],
  ['sarprop', {}],
]) {
  test(`a network of FANN solves XOR by ${algorithm} from every seed`, async (t) => {
    const examples = parity(2)
    const epochs = []
    for (const seed of SEEDS) {
      const network = await ofFann(seed)
      const start = { algorithm, epochs: 3_000, desiredError: 0.001, seed, ...options }
      const { epoch, loss, bitFails } = await trained(network, examples, start)
      assert.ok(loss <= 0.001 && bitFails === 0, `seed ${seed}: ${loss}`)
      assert.equal(wrongRows(network, examples, 0), 0, `seed ${seed}`)
      epochs.push(epoch)
      network.free()
    }
    epochs.sort((a, b) => a - b)
    t.diagnostic(`30/30, median ${epochs[15]} epochs`)
  })
}

for (const [task, examples, maxNeurons] of [
  ['XOR', parity(2), 5],
  ['parity of 8 bits', parity(8), 10],
  ['two spirals', spirals(), 30],
]) {
  test(`a cascade grows until it tells ${task}`, async (t) => {
    const counts = []
    for (const seed of [1, 2, 3, 4, 5]) {
      const layers = [examples.inputs[0].length, 1]
      const network = await Network.create({ shortcut: true, layers, weightRange: 1, seed })
      assert.ok(wrongRows(network, examples, 0) > 0)
      const last = await trained(network, examples, { algorithm: 'cascade', maxNeurons, seed })
      assert.ok(last.neurons > 0 && last.neurons <= maxNeurons && last.bitFails === 0)
      assert.equal(wrongRows(network, examples, 0), 0, `seed ${seed}`)
      assert.equal(network.fann.cascadeNeurons, last.neurons)
      const again = await Network.load(network.save())
      assert.deepEqual(again.fann, network.fann)
      const file = (await network.convert('net')).file
      const foreign = await Network.load(file)
      for (const row of examples.inputs) {
        assert.deepEqual(again.run(row), network.run(row))
        assert.deepEqual(foreign.run(row), network.run(row))
      }
      counts.push(last.neurons)
    }
    t.diagnostic(`5/5, neurons added ${counts}`)
  })
}

test('a cascade makes a network of FANN of one of layers, if that has no hidden ones', async () => {
  const network = await Network.create({ layers: [2, 1], outputActivation: 'tanh', seed: 1 })
  const before = network.run([0.3, -0.4])[0]
  const training = network.train(parity(2), { algorithm: 'cascade', seed: 1 })
  await training.next()
  await training.return()
  assert.equal(network.fann.kind, 'shortcut')
  assert.equal(await codeOf(() => network.specification), 'no-layers')
  assert.notEqual(network.run([0.3, -0.4])[0], before)
  const deep = await Network.create({ layers: [2, 3, 1], activation: 'tanh' })
  const grow = () => trained(deep, parity(2), { algorithm: 'cascade' })
  assert.equal(await codeOf(grow), 'cascade-shape')
})

test('dense layers become FANN and layers again, bit by bit', async () => {
  const inputs = Array.from({ length: 50 }, (_, row) => [
    Math.sin(row),
    Math.cos(3 * row),
    row / 25,
  ])
  for (const activation of ['sigmoid', 'tanh', 'relu', 'leaky-relu', 'linear']) {
    const network = await Network.create({ layers: [3, 7, 4, 2], activation, seed: 3 })
    const { file, lost } = await network.convert('net')
    const ofFann = await Network.load(file)
    assert.equal(lost.length > 0, activation.endsWith('relu'), lost.join())
    assert.deepEqual(ofFann.fann.layers, [3, 7, 4, 2])
    for (const row of inputs) {
      const [ours, theirs] = [network.run(row), ofFann.run(row)]
      ours.forEach((one, at) => {
        assert.ok(Math.abs(one - theirs[at]) < 1e-5)
      })
    }
    const back = await Network.load((await ofFann.convert('layers')).file)
    assert.deepEqual(back.specification, network.specification)
    assert.equal(back.weightsCid(), network.weightsCid())
  }
})

test('a steepness is multiplied into the weights of layers', async () => {
  const options = { kind: 'fann', layers: [2, 4, 1], activation: 'sigmoid', weightRange: 1 }
  const steep = { steepness: 0.8, outputActivation: 'linear', outputSteepness: 0.3, seed: 2 }
  const network = await Network.create({ ...options, ...steep })
  const layers = await Network.load((await network.convert('layers')).file)
  for (const row of [
    [0.1, 0.9],
    [-2, 3],
  ]) {
    assert.ok(Math.abs(layers.run(row)[0] - network.run(row)[0]) < 1e-6)
  }
})

test('networks are sparse, shortcut or of any activation as asked, and stay so in files', async () => {
  const table = [
    [{ kind: 'fann', layers: [4, 6, 2] }, ['layered', 5 * 6 + 7 * 2]],
    [{ connectionRate: 0.5, layers: [4, 6, 2] }, ['layered', 12 + 6 + 6 + 2]],
    [{ shortcut: true, layers: [4, 6, 2] }, ['shortcut', 5 * 6 + 11 * 2]],
    [{ layers: [4, 6, 2], activation: 'gaussian' }, ['layered', 5 * 6 + 7 * 2]],
  ]
  for (const [options, [kind, connections]] of table) {
    const network = await Network.create({ ...options, seed: 5 })
    assert.deepEqual([network.fann.kind, network.fann.connections], [kind, connections])
    assert.equal(network.parameterCount, connections)
    const again = await Network.load(network.save())
    assert.deepEqual(again.fann, network.fann)
    assert.deepEqual(again.run([1, 2, 3, 4]), network.run([1, 2, 3, 4]))
    assert.equal(again.weightsCid(), network.weightsCid())
    const same = await Network.create({ ...options, seed: 5 })
    assert.equal(same.weightsCid(), network.weightsCid())
    const other = await Network.create({ ...options, seed: 6 })
    assert.notEqual(other.weightsCid(), network.weightsCid())
  }
})

test('every option of an algorithm changes what is learned', async () => {
  const table = {
    incremental: { learningRate: 0.2, momentum: 0.3, errorFunction: 'linear' },
    batch: { learningRate: 0.2 },
    rprop: {
      ...{ rpropIncreaseFactor: 1.1, rpropDecreaseFactor: 0.3, rpropDeltaMin: 0.2 },
      ...{ rpropDeltaMax: 0.3, rpropDeltaZero: 0.01 },
    },
    quickprop: { quickpropMu: 1.2, quickpropDecay: -0.01, learningRate: 0.3 },
    sarprop: {
      ...{ sarpropTemperature: 2, sarpropWeightDecayShift: -2, sarpropStepErrorShift: 3 },
      ...{ sarpropStepErrorThresholdFactor: 1, rpropIncreaseFactor: 1.1 },
    },
    cascade: {
      ...{ cascadeMaxOutEpochs: 20, cascadeMaxCandEpochs: 20, cascadeNumCandidateGroups: 4 },
      ...{ cascadeActivationFunctions: ['sin'], cascadeActivationSteepnesses: [0.9] },
      ...{ cascadeWeightMultiplier: 0.2, cascadeAlgorithm: 'quickprop', errorFunction: 'tanh' },
    },
  }
  const examples = parity(3)
  for (const [algorithm, options] of Object.entries(table)) {
    const learn = async (more) => {
      const layers = algorithm === 'cascade' ? [3, 1] : [3, 5, 1]
      const shortcut = algorithm === 'cascade'
      const network = await Network.create({ kind: 'fann', layers, shortcut, weightRange: 1 })
      const length = algorithm === 'cascade' ? { maxNeurons: 1 } : { epochs: 40 }
      await trained(network, examples, { algorithm, ...length, ...more })
      return network.weightsCid()
    }
    const plain = await learn({})
    assert.equal(await learn({}), plain)
    for (const [name, value] of Object.entries(options)) {
      // The least step is taken only where steps become small.
      const more = name === 'rpropDeltaMin' ? { rpropDecreaseFactor: 0.1, [name]: value } : {}
      const start = name === 'rpropDeltaMin' ? await learn({ rpropDecreaseFactor: 0.1 }) : plain
      assert.notEqual(await learn({ [name]: value, ...more }), start, `${algorithm} ${name}`)
    }
  }
})

test('what an algorithm cannot do is refused with a code and a hint', async () => {
  const network = await ofFann(1)
  const layers = await layered(1)
  const softmax = await Network.create({ layers: [2, 3, 2], outputActivation: 'softmax' })
  const huber = await Network.create({ layers: [2, 3, 1], loss: 'huber' })
  const train = (one, options) => () => trained(one, { inputs: [[0, 1]], targets: [[1]] }, options)
  const two = { inputs: [[0, 1]], targets: [[1, 0]] }
  const table = [
    [train(network, { rpropIncreaseFactor: 0.5 }), 'option-invalid'],
    [train(network, { rpropDeltaZero: Number.NaN }), 'option-invalid'],
    [train(network, { rpropDeltaZero: '1' }), 'option-invalid'],
    [train(network, { rpropRests: 1 }), 'option-invalid'],
    [train(network, { quickpropMu: 2 }), 'option-invalid'],
    [train(network, { algorithm: 'rprop', momentum: 0.1 }), 'option-invalid'],
    [train(network, { batch: 4 }), 'option-invalid'],
    [train(network, { stopFunction: 'never' }), 'option-invalid'],
    [train(network, { loss: 'bce' }), 'option-invalid'],
    [train(network, { algorithm: 'adam' }), 'algorithm-does-not-fit'],
    [train(network, { algorithm: 'lion' }), 'option-invalid'],
    [train(network, { algorithm: 'cascade' }), 'cascade-shape'],
    [train(network, { algorithm: 'cascade', epochs: 3 }), 'option-invalid'],
    [train(network, { algorithm: 'cascade', maxNeurons: 0 }), 'option-invalid'],
    [train(network, { algorithm: 'cascade', cascadeActivationFunctions: [] }), 'option-invalid'],
    [train(network, { algorithm: 'cascade', cascadeActivationFunctions: ['x'] }), 'usage'],
    [train(layers, { rpropDeltaMax: 1 }), 'option-invalid'],
    [train(layers, { algorithm: 'rprop', weightDecay: 0.1 }), 'option-invalid'],
    [train(layers, { algorithm: 'rprop', errorFunction: 'tanh' }), 'option-invalid'],
    [train(layers, { algorithm: 'rprop', stopFunction: 'bit' }), 'option-invalid'],
    [train(layers, { algorithm: 'adam', desiredError: -1 }), 'option-invalid'],
    [train(huber, { algorithm: 'rprop' }), 'no-counterpart'],
    [() => trained(softmax, two, { algorithm: 'rprop' }), 'no-counterpart'],
    [() => softmax.convert('net'), 'no-counterpart'],
    [
      async () => (await Network.create({ shortcut: true, layers: [2, 2, 1] })).convert('layers'),
      'no-counterpart',
    ],
    [() => trained(network, two, {}), 'rows-invalid'],
    [() => network.run([1]), 'rows-invalid'],
    [() => network.run([1, Number.NaN]), 'rows-invalid'],
    [() => Network.create({ kind: 'fann', layers: [2] }), 'specification-invalid'],
    [() => Network.create({ kind: 'fann', layers: [2, 0, 1] }), 'usage'],
    [() => Network.create({ connectionRate: 0, layers: [2, 1] }), 'usage'],
    [() => Network.create({ connectionRate: 0.5, shortcut: true, layers: [2, 1] }), 'usage'],
    [() => Network.create({ kind: 'fann', layers: [2, 1], activation: 'softmax' }), 'usage'],
    [() => Network.create({ kind: 'fann', layers: [2, 1], steepness: 0 }), 'usage'],
    [() => Network.create({ kind: 'fann', layers: [2, 1], loss: 'bce' }), 'option-invalid'],
    [() => Network.create({ kind: 'fann', layers: [1e5, 1e5] }), 'network-too-large'],
  ]
  for (const [work, code] of table) assert.equal(await codeOf(work), code, String(work))
  assert.equal(wrongRows(layers, { inputs: [[0, 1]], targets: [[1]] }, -1), 0)
})

test('thresholds run, and cannot be trained', async () => {
  const network = await Network.create({ layers: [2, 3, 1], activation: 'threshold' })
  assert.equal(network.run([1, 1]).length, 1)
  assert.equal(await codeOf(() => trained(network, parity(2), {})), 'activation-untrainable')
})

test('several numbers per row are learned by a network of FANN', async () => {
  const inputs = Array.from({ length: 40 }, (_, row) => [row / 40, (row % 7) / 7])
  const targets = inputs.map(([a, b]) => [a + b, a - b, 0.5])
  const options = { kind: 'fann', layers: [2, 6, 3], activation: 'tanh', weightRange: 0.5 }
  const network = await Network.create({ ...options, outputActivation: 'linear', seed: 1 })
  await trained(network, { inputs, targets }, { errorFunction: 'linear', epochs: 400 })
  inputs.forEach((row, at) => {
    network.run(row).forEach((output, place) => {
      assert.ok(Math.abs(output - targets[at][place]) < 0.1)
    })
  })
})

test('a training ends when its loop is left, when it is told to, and when another begins', async () => {
  const network = await ofFann(1)
  for await (const { epoch } of network.train(parity(2), { epochs: 50 })) {
    if (epoch === 3) break
  }
  const stop = new AbortController()
  const stopped = async () => {
    for await (const { epoch } of network.train(parity(2), { signal: stop.signal })) {
      if (epoch === 2) stop.abort()
    }
  }
  await assert.rejects(stopped, { name: 'AbortError' })
  const first = network.train(parity(2), { epochs: 9 })
  await first.next()
  await network.train(parity(2), { epochs: 9 }).next()
  assert.equal(await codeOf(() => first.next()), 'training-replaced')
  network.free()
  assert.equal(await codeOf(() => network.fann), 'network-freed')
})

test('a training of FANN that diverges says so, and the weights stay finite', async () => {
  const options = { kind: 'fann', layers: [1, 4, 1], activation: 'linear' }
  const network = await Network.create({ ...options, outputActivation: 'linear', weightRange: 1 })
  const rows = { inputs: [[1e15], [2e15]], targets: [[1e15], [-5e15]] }
  const settings = { algorithm: 'batch', errorFunction: 'linear', learningRate: 100 }
  assert.equal(await codeOf(() => trained(network, rows, settings)), 'training-diverged')
  assert.ok(network.weights().every(Number.isFinite))
})

test('files of libfann give the outputs that libfann gives', async () => {
  const outputs = JSON.parse(readFileSync(new URL('outputs.json', VECTORS), 'utf8'))
  const rows = readFileSync(new URL('rows.csv', VECTORS), 'utf8').trim().split('\n')
  for (const [name, expected] of Object.entries(outputs)) {
    const file = readFileSync(new URL(`${name}.net`, VECTORS))
    const network = await Network.load(file)
    rows.forEach((row, at) => {
      assert.deepEqual(network.run(row.split(',').map(Number)), Float32Array.from(expected[at]))
    })
    assert.deepEqual(Buffer.from((await network.convert('net')).file), file)
  }
  assert.equal(readdirSync(VECTORS).filter((name) => name.endsWith('.net')).length, 3)
})

test('a clone of a network of FANN has its weights, and learns by itself', async () => {
  const network = await ofFann(3)
  await trained(network, parity(2), { epochs: 5 })
  const clone = network.clone()
  assert.deepEqual(clone.save(), network.save())
  const before = network.weightsCid()
  await trained(clone, parity(2), { epochs: 5 })
  assert.equal(network.weightsCid(), before)
  assert.notEqual(clone.weightsCid(), before)
  network.free()
  assert.equal(clone.run([1, -1]).length, 1)
})

test('outputs of a network of FANN go into the array that is given', async () => {
  const network = await Network.create({ kind: 'fann', layers: [2, 3, 2], weightRange: 1, seed: 4 })
  assert.deepEqual([network.inputCount, network.outputCount], [2, 2])
  const outputs = new Float32Array(2)
  assert.equal(network.run([0.5, -1], outputs), outputs)
  assert.deepEqual(outputs, network.run(Float32Array.of(0.5, -1)))
  assert.equal(await codeOf(() => network.run([0.5, -1], new Float32Array(3))), 'rows-invalid')
})

test('a network of FANN is written as layers where a form of file has nothing else', async () => {
  const options = { kind: 'fann', layers: [2, 5, 2], activation: 'sigmoid', weightRange: 1 }
  const network = await Network.create({ ...options, outputActivation: 'linear', seed: 2 })
  const inputs = [
    [0, 1],
    [1, 0],
    [0.5, 2],
  ]
  const examples = { inputs, targets: inputs.map(([a, b]) => [a - b, a + b]) }
  await trained(network, examples, { errorFunction: 'linear', epochs: 20 })
  for (const dtype of ['f32', 'f16', 'int8']) {
    const { file, lost } = await network.convert('safetensors', { dtype })
    assert.deepEqual(Buffer.from(file), Buffer.from(network.save({ format: 'safetensors', dtype })))
    assert.match(lost.join(), /FANN/)
    const layers = await Network.load(file)
    assert.equal(layers.fann, undefined)
    for (const row of inputs) {
      const theirs = layers.run(row)
      network.run(row).forEach((one, at) => {
        const [off, most] = [Math.abs(one - theirs[at]), dtype === 'f32' ? 1e-5 : 0.1]
        assert.ok(off < most, `${dtype}: ${off}`)
      })
    }
  }
  assert.ok(network.save({ format: 'onnx' }).length > 100)
  const shortcut = await Network.create({ shortcut: true, layers: [2, 2, 1] })
  const table = [
    [() => shortcut.save({ format: 'safetensors' }), 'no-counterpart'],
    [() => shortcut.save({ format: 'onnx' }), 'no-counterpart'],
    [() => network.save({ format: 'net' }), 'usage'],
    [() => network.save({ dtype: 'f16' }), 'usage'],
    [() => network.save({ format: 'fann' }), 'usage'],
    [() => network.convert('net', { dtype: 'f16' }), 'usage'],
  ]
  for (const [work, code] of table) assert.equal(await codeOf(work), code, String(work))
})

test('a network of FANN learns to give back its inputs', async () => {
  const inputs = Array.from({ length: 30 }, (_, row) => [row / 30, 1 - row / 30])
  const options = { kind: 'fann', layers: [2, 1, 2], activation: 'tanh', weightRange: 0.5, seed: 1 }
  const network = await Network.create({ ...options, outputActivation: 'linear' })
  const settings = { errorFunction: 'linear', epochs: 500 }
  await trained(network, { inputs, targets: 'inputs' }, settings)
  for (const row of inputs) {
    network.run(row).forEach((one, at) => {
      assert.ok(Math.abs(one - row[at]) < 0.1, `${one} for ${row[at]}`)
    })
  }
})

test('cut, changed and foreign files are refused with a code', async () => {
  const network = await ofFann(1)
  const file = Buffer.from((await network.convert('net')).file)
  for (let end = 6; end < file.length - 1; end += 7) {
    const code = await codeOf(() => Network.load(file.subarray(0, end)))
    assert.match(code, /^file-(damaged|invalid|foreign|version)$/, `${end} bytes`)
  }
  const swap = (from, to) => Buffer.from(file.toString().replace(from, to))
  const table = [
    [swap('FANN_FLO_2.1', 'FANN_FIX_2.1'), 'file-version'],
    [swap('FANN_FLO_2.1', 'FANN_FOO_9.9'), 'file-foreign'],
    [swap('num_layers=3', 'num_layers=4294967295'), 'file-invalid'],
    [swap('layer_sizes=3 7 2', 'layer_sizes=3 99999999 2'), 'file-invalid'],
    [Buffer.concat([file, Buffer.from('more')]), 'file-damaged'],
  ]
  for (const [bytes, code] of table) assert.equal(await codeOf(() => Network.load(bytes)), code)

  const model = JSON.parse(Buffer.from(network.save()).toString())
  const changed = (change) => JSON.stringify({ ...model, ...change })
  const changes = [
    [changed({ version: 2 }), 'model-version'],
    [changed({ classes: ['a'] }), 'model-damaged'],
    [changed({ classes: 3 }), 'model-damaged'],
    [changed({ task: 'dance' }), 'model-damaged'],
    [changed({ scaling: { offset: [0], scale: [1] } }), 'model-damaged'],
    [changed({ scaling: { offset: [0, 0], scale: [1, 0] } }), 'model-damaged'],
    [changed({ more: 1 }), 'model-damaged'],
    [changed({ columns: [{ name: 'a' }] }), 'model-damaged'],
    [changed({ columns: [{ name: 'a' }, { categories: [] }] }), 'model-damaged'],
    [changed({}).replace('"task":null', '"task":null,"task":null'), 'model-damaged'],
    [changed({ weightsCid: 'bafkr4i' }), 'model-damaged'],
    [changed({ fann: model.fann.slice(0, 900) }), 'file-damaged'],
    [changed({ fann: 7 }), 'model-foreign'],
    [changed({ format: 'other' }), 'model-foreign'],
    [changed({}).slice(0, 200), 'model-truncated'],
  ]
  for (const [text, code] of changes) {
    assert.equal(await codeOf(() => Network.load(text)), code, text.slice(-120))
  }
})
