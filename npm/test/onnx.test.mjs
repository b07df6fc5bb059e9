// Exported networks, run by onnxruntime-web: the outputs of ours.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GATE_ORDER } from '../dist/formats/onnx/recurrent.js'
import { writeOnnx } from '../dist/formats/onnx.js'
import { PRESET_NAMES, presetSpecification } from '../dist/presets.js'
import { countOf, sizesOf, valuesOf } from '../dist/training/shapes.js'
import { onnxRuntime } from '../scripts/lib/onnxruntime.mjs'
import { neural } from './artifact.mjs'
import { LAYER_CASES } from './layer-cases.mjs'

const core = await neural()
const runtime = await onnxRuntime()
const NEAR = 1e-5

/** Numbers from -1 to 1, the same each time. */
function draws(seed) {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 31 - 1
  }
}

/** A network whose parameters all differ: biases, scales and statistics are none of a new one. */
function network(specification) {
  const made = core.Network.create(specification, 3n)
  const draw = draws(1)
  made.setWeights(made.weights().map((number) => number + draw() / 4))
  return made
}

/** Rows that a network takes: words where it begins with them. */
function rowsFor({ inputs, layers }, rows) {
  const draw = draws(2)
  const words = layers[0].type === 'embedding' ? layers[0].vocabulary : undefined
  return Float32Array.from({ length: rows * countOf(inputs) }, () => {
    const number = draw()
    return words === undefined ? 2 * number : Math.floor(((number + 1) / 2) * words)
  })
}

/** What the runtime makes of rows with a file. */
async function answers(file, { inputs, layers }, numbers, rows) {
  const session = await runtime.InferenceSession.create(file)
  try {
    assert.deepEqual([session.inputNames, session.outputNames], [['input'], ['output']])
    const input = new runtime.Tensor('float32', numbers, [rows, ...sizesOf(inputs)])
    const { output } = await session.run({ input })
    assert.deepEqual(output.dims, [rows, ...valuesOf({ inputs, layers }).at(-1)])
    return output.data
  } finally {
    await session.release()
  }
}

function farthest(left, right) {
  assert.equal(left.length, right.length)
  return left.reduce((most, number, at) => {
    assert.ok(Number.isFinite(right[at]))
    return Math.max(most, Math.abs(number - right[at]) / Math.max(1, Math.abs(number)))
  }, 0)
}

/** How far the answers are from ours, relative to sizes above 1, for batches of one and several. */
async function distance(made) {
  const { specification } = made
  const file = writeOnnx(made)
  let most = 0
  for (const rows of [1, 3]) {
    const numbers = rowsFor(specification, rows)
    const theirs = await answers(file, specification, numbers, rows)
    most = Math.max(most, farthest(made.runBatch(numbers, rows), theirs))
  }
  return most
}

const SPECIFICATIONS = [
  ...PRESET_NAMES.map((name) => [name, presetSpecification(name)]),
  ...LAYER_CASES,
]

for (const [name, specification] of SPECIFICATIONS) {
  test(`${name}: the answers of onnxruntime-web are ours`, async () => {
    const most = await distance(network(specification))
    assert.ok(most <= NEAR, `${most}`)
  })
}

test('raw rows go in: the scaling of the data is in the file', async () => {
  for (const inputs of [3, [2, 3], [2, 2, 3]]) {
    const layers = [{ type: 'flatten' }, { units: 2, activation: 'softmax' }]
    const made = network({ inputs, layers, loss: 'cross-entropy' })
    const plain = await distance(made)
    assert.ok(plain <= NEAR)
    const count = countOf(inputs)
    const offset = Array.from({ length: count }, (_, at) => at / 3 - 1)
    const scale = Array.from({ length: count }, (_, at) => (at % 2 === 0 ? 2.5 : -0.75))
    made.describe({ scaling: { offset, scale }, classes: ['a', 'b'] })
    assert.ok((await distance(made)) <= NEAR)
  }
})

test('answers of a regression come out in the units of its targets', async () => {
  const specification = {
    inputs: 2,
    layers: [{ units: 1, activation: 'linear' }],
    loss: 'mse',
  }
  const made = network(specification)
  const rows = new TextEncoder().encode('0,1,10.5\n1,5,-20.25\n2,-3,350.5\n3,2,41.75\n')
  const data = core.Dataset.parse(rows, { task: 'regression', header: false })
  made.trainEpoch(data.standardise(data.scaling('standard')), {})
  const [answer] = made.run(Float32Array.of(1, 1))
  assert.ok(Math.abs(answer) > 10)
  assert.ok((await distance(made)) <= NEAR)
})

test('classes and task are in the file', () => {
  const made = network({
    inputs: 2,
    layers: [{ units: 2, activation: 'softmax' }],
    loss: 'cross-entropy',
  })
  const scaling = { offset: [0, 0], scale: [1, 1] }
  made.describe({ scaling, classes: ['left "1"', 'rechts ü'] })
  const text = new TextDecoder().decode(writeOnnx(made))
  assert.ok(text.includes(JSON.stringify(['left "1"', 'rechts ü'])))
  assert.ok(text.includes('classification'))
})

// The control: what these tests would say of gates that stand in another order.
for (const [type, wrong] of [
  ['lstm', [0, 1, 2, 3]],
  ['gru', [0, 1, 2]],
]) {
  test(`gates of a ${type} in our order would be noticed`, async () => {
    const layers = [{ type, units: 4 }]
    const made = network({ inputs: [6, 3], layers, loss: 'mse' })
    assert.ok((await distance(made)) <= NEAR)
    const right = [...GATE_ORDER[type]]
    GATE_ORDER[type].splice(0, right.length, ...wrong)
    try {
      assert.ok((await distance(made)) > 100 * NEAR)
    } finally {
      GATE_ORDER[type].splice(0, right.length, ...right)
    }
  })
}
